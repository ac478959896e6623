#include "config/graph_agreement.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "config/invalid.h"
#include "nereid/shape.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

using inference::ModelConfig;
using inference::ModelSequenceBatching;

const GraphTensor* Find(const std::vector<GraphTensor>& tensors, std::string_view name) {
  for (const GraphTensor& tensor : tensors) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

std::string SortedNames(std::vector<GraphTensor> tensors) {
  std::set<std::string> names;
  for (GraphTensor& tensor : tensors) names.insert(std::move(tensor.name));
  return absl::StrJoin(names, ", ");
}

// What the two directions differ in.
struct Side {
  std::string_view name;  // "input" or "output"
  // Whether the configuration may fix an extent that the graph leaves open.
  bool may_fix_extents;
  std::vector<GraphTensor> tensors;
};

// A tensor as the configuration has it.
struct Wanted {
  std::string_view name;
  inference::DataType type;
  Shape dims;  // as the backend sees it, without the batch dimension
};

template <typename Tensor>
Wanted WantedOf(const Tensor& tensor) {
  const auto& dims = tensor.has_reshape() ? tensor.reshape().shape() : tensor.dims();
  return {tensor.name(), tensor.data_type(), Shape(dims.begin(), dims.end())};
}

class Agreement {
 public:
  Agreement(const ModelConfig& config, const GraphDescription& graph)
      : config_(config),
        graph_(graph),
        batching_(config.max_batch_size() > 0),
        inputs_{"input", true, graph.inputs},
        outputs_{"output", false, graph.outputs} {
    inputs_.tensors.insert(inputs_.tensors.end(), graph.overridable.begin(),
                           graph.overridable.end());
  }

  absl::Status Check() const;

 private:
  absl::Status CheckControls() const;
  absl::Status CheckControl(const std::string& name) const;
  absl::Status CheckInputCount() const;
  absl::Status CheckInputs() const;
  absl::Status CheckOutputs() const;
  absl::Status CheckBatchInputs() const;
  absl::Status CheckStates() const;

  absl::Status CheckType(const Side& side, const Wanted& wanted) const;
  absl::Status CheckShape(const Side& side, const Wanted& wanted) const;
  absl::Status CheckTensor(const Side& side, const Wanted& wanted) const;
  absl::Status ShapeError(const GraphTensor& tensor, const Wanted& wanted) const;
  absl::Status CheckRagged(const Wanted& wanted) const;
  bool IsBatchOutput(std::string_view name) const;

  const ModelConfig& config_;
  const GraphDescription& graph_;
  const bool batching_;
  Side inputs_;
  Side outputs_;
};

absl::Status Agreement::CheckControl(const std::string& name) const {
  const GraphTensor* tensor = Find(inputs_.tensors, name);
  if (tensor == nullptr) {
    return absl::InternalError(StrCat("configuration specified sequence control '", name,
                                      "', but model does not provide that input"));
  }
  Shape dims = tensor->dims;
  if (batching_ && !dims.empty()) dims.erase(dims.begin());
  if (dims == Shape{1}) return absl::OkStatus();
  return Invalid("unable to load model '", config_.name(), "', sequence control '", name,
                 "' in model has dims ", ShapeToString(dims), " but dims [1] is expected");
}

absl::Status Agreement::CheckControls() const {
  for (const auto& control : config_.sequence_batching().control_input()) {
    NEREID_RETURN_IF_ERROR(CheckControl(control.name()));
  }
  return absl::OkStatus();
}

absl::Status Agreement::CheckInputCount() const {
  const auto& inputs = config_.input();
  int64_t expected = std::count_if(inputs.begin(), inputs.end(),
                                   [](const auto& input) { return !input.optional(); });
  for (const auto& batch : config_.batch_input()) expected += batch.target_name_size();
  expected += config_.sequence_batching().control_input_size();
  expected += config_.sequence_batching().state_size();
  if (expected == static_cast<int64_t>(graph_.inputs.size())) return absl::OkStatus();
  return Invalid("unable to load model '", config_.name(), "', configuration expects ", expected,
                 " inputs, model provides ", graph_.inputs.size());
}

absl::Status Agreement::CheckType(const Side& side, const Wanted& wanted) const {
  const GraphTensor* tensor = Find(side.tensors, wanted.name);
  if (tensor == nullptr) {
    return Invalid("unexpected inference ", side.name, " '", wanted.name, "', allowed ", side.name,
                   "s are: ", SortedNames(side.tensors));
  }
  if (static_cast<int>(tensor->data_type) == static_cast<int>(wanted.type)) {
    return absl::OkStatus();
  }
  return Invalid("unable to load model '", config_.name(), "', configuration expects datatype ",
                 inference::DataType_Name(wanted.type), " for ", side.name, " '", wanted.name,
                 "', model provides ",
                 inference::DataType_Name(static_cast<inference::DataType>(tensor->data_type)));
}

absl::Status Agreement::ShapeError(const GraphTensor& tensor, const Wanted& wanted) const {
  std::string configured = StrCat("(shape ", ShapeToString(wanted.dims), ")");
  size_t rank = wanted.dims.size();
  if (batching_) {
    Shape full = wanted.dims;
    full.insert(full.begin(), -1);
    ++rank;
    configured = StrCat(
        "(an initial batch dimension because max_batch_size > 0 followed by the explicit tensor "
        "shape, making complete shape ",
        ShapeToString(full), ")");
  }
  return Invalid("model '", config_.name(), "', tensor '", wanted.name, "': the model expects ",
                 tensor.dims.size(), " dimensions (shape ", ShapeToString(tensor.dims),
                 ") but the model configuration specifies ", rank, " dimensions ", configured);
}

absl::Status Agreement::CheckShape(const Side& side, const Wanted& wanted) const {
  const GraphTensor& tensor = *Find(side.tensors, wanted.name);
  absl::Span<const int64_t> graph_dims = tensor.dims;
  if (batching_) {
    if (graph_dims.empty() || graph_dims[0] != -1) {
      return Invalid("model '", config_.name(), "', tensor '", wanted.name,
                     "': for the model to support batching the shape should have at least 1 "
                     "dimension and the first dimension must be -1; but shape expected by the "
                     "model is ",
                     ShapeToString(tensor.dims));
    }
    graph_dims.remove_prefix(1);
  } else if (graph_dims.empty()) {
    const bool all_ones = std::all_of(wanted.dims.begin(), wanted.dims.end(),
                                      [](int64_t extent) { return extent == 1; });
    return all_ones ? absl::OkStatus() : ShapeError(tensor, wanted);
  }
  const auto agrees = [&](int64_t graph, int64_t configured) {
    return graph == configured || (graph == -1 && side.may_fix_extents);
  };
  const bool fits = std::equal(graph_dims.begin(), graph_dims.end(), wanted.dims.begin(),
                               wanted.dims.end(), agrees);
  return fits ? absl::OkStatus() : ShapeError(tensor, wanted);
}

absl::Status Agreement::CheckTensor(const Side& side, const Wanted& wanted) const {
  NEREID_RETURN_IF_ERROR(CheckType(side, wanted));
  return CheckShape(side, wanted);
}

// Ragged requests are packed into one row of elements.
absl::Status Agreement::CheckRagged(const Wanted& wanted) const {
  NEREID_RETURN_IF_ERROR(CheckType(inputs_, wanted));
  const GraphTensor& tensor = *Find(inputs_.tensors, wanted.name);
  if (tensor.dims == Shape{-1}) return absl::OkStatus();
  return Invalid("model '", config_.name(), "', tensor '", wanted.name,
                 "': the model expects shape ", ShapeToString(tensor.dims),
                 " but a ragged batch has shape [-1]");
}

absl::Status Agreement::CheckInputs() const {
  for (const auto& input : config_.input()) {
    if (input.optional() && batching_) {
      return Invalid("unable to load model '", config_.name(), "', optional input '", input.name(),
                     "' is not supported for models that support batching");
    }
    const Wanted wanted = WantedOf(input);
    const bool ragged = input.allow_ragged_batch() && batching_;
    NEREID_RETURN_IF_ERROR(ragged ? CheckRagged(wanted) : CheckTensor(inputs_, wanted));
  }
  return absl::OkStatus();
}

bool Agreement::IsBatchOutput(std::string_view name) const {
  for (const auto& batch : config_.batch_output()) {
    const auto& targets = batch.target_name();
    if (std::find(targets.begin(), targets.end(), name) != targets.end()) return true;
  }
  return false;
}

absl::Status Agreement::CheckOutputs() const {
  for (const auto& output : config_.output()) {
    const Wanted wanted = WantedOf(output);
    NEREID_RETURN_IF_ERROR(CheckType(outputs_, wanted));
    if (!IsBatchOutput(output.name())) NEREID_RETURN_IF_ERROR(CheckShape(outputs_, wanted));
  }
  return absl::OkStatus();
}

absl::Status Agreement::CheckBatchInputs() const {
  for (const auto& batch : config_.batch_input()) {
    for (const std::string& target : batch.target_name()) {
      NEREID_RETURN_IF_ERROR(CheckType(inputs_, {target, batch.data_type(), {}}));
    }
  }
  return absl::OkStatus();
}

absl::Status Agreement::CheckStates() const {
  for (const auto& state : config_.sequence_batching().state()) {
    Wanted wanted{state.input_name(), state.data_type(),
                  Shape(state.dims().begin(), state.dims().end())};
    NEREID_RETURN_IF_ERROR(CheckTensor(inputs_, wanted));
    wanted.name = state.output_name();
    NEREID_RETURN_IF_ERROR(CheckTensor(outputs_, wanted));
  }
  return absl::OkStatus();
}

absl::Status Agreement::Check() const {
  NEREID_RETURN_IF_ERROR(CheckControls());
  NEREID_RETURN_IF_ERROR(CheckInputCount());
  NEREID_RETURN_IF_ERROR(CheckInputs());
  NEREID_RETURN_IF_ERROR(CheckBatchInputs());
  NEREID_RETURN_IF_ERROR(CheckStates());
  return CheckOutputs();
}

}  // namespace

absl::Status CheckGraphAgreement(const ModelConfig& config, const GraphDescription& graph) {
  return Agreement(config, graph).Check();
}

}  // namespace nereid
