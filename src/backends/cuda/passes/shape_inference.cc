#include "backends/cuda/passes/shape_inference.h"

#include <algorithm>
#include <vector>

#include "backends/cuda/passes/infer_rules.h"
#include "backends/cuda/passes/specialize.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

std::vector<Value> DeclaredInputs(const Graph& graph) {
  std::vector<Value> inputs;
  for (const ValueId id : graph.inputs) inputs.push_back(graph.value(id));
  return inputs;
}

absl::Status Fit(const Value& declared, const Shape& given) {
  const bool fits = !declared.shape.has_value() ||
                    (declared.shape->size() == given.size() &&
                     std::equal(given.begin(), given.end(), declared.shape->begin(),
                                [](int64_t a, int64_t b) { return b == -1 || a == b; }));
  if (fits && IsKnown(given)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat("input '", declared.name, "' of shape ",
             declared.shape.has_value() ? ShapeToString(*declared.shape) : "unknown",
             " cannot have shape ", ShapeToString(given)));
}

}  // namespace

absl::Status InferShapes(Graph& graph) {
  SpecializeOptions options;
  options.inline_control = false;
  options.fold.max_elements = options.fold.max_growing_elements;
  NEREID_ASSIGN_OR_RETURN(graph, Specializer(options).Run(graph, DeclaredInputs(graph)));
  return graph.Verify();
}

absl::StatusOr<Graph> Specialize(const Graph& graph, absl::Span<const Shape> input_shapes) {
  if (input_shapes.size() != graph.inputs.size()) {
    return absl::InvalidArgumentError(
        StrCat("the model has ", graph.inputs.size(), " inputs, not ", input_shapes.size()));
  }
  std::vector<Value> inputs = DeclaredInputs(graph);
  for (size_t i = 0; i < inputs.size(); ++i) {
    NEREID_RETURN_IF_ERROR(Fit(inputs[i], input_shapes[i]));
    inputs[i].shape = input_shapes[i];
  }
  NEREID_ASSIGN_OR_RETURN(Graph out, Specializer({}).Run(graph, inputs));
  NEREID_RETURN_IF_ERROR(out.Verify());
  return out;
}

}  // namespace nereid::engine
