#include "backends/cuda/passes/bind_input.h"

#include <algorithm>
#include <utility>

#include "common/strings.h"

namespace nereid::engine {
namespace {

bool Fits(const Value& declared, const HostTensor& content) {
  if (declared.type != content.type()) return false;
  if (!declared.shape.has_value()) return true;
  return std::equal(declared.shape->begin(), declared.shape->end(), content.shape().begin(),
                    content.shape().end(), [](int64_t a, int64_t b) { return a == -1 || a == b; });
}

}  // namespace

absl::Status BindInput(Graph& graph, std::string_view name, HostTensor content) {
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const ValueId id = graph.inputs[i];
    Value& value = graph.value(id);
    if (value.name != name) continue;
    if (!Fits(value, content)) {
      return absl::InvalidArgumentError(StrCat("input '", name, "' cannot be ",
                                               ProtocolName(content.type()),
                                               ShapeToString(content.shape())));
    }
    value.shape = content.shape();
    value.constant = std::move(content);
    graph.inputs.erase(graph.inputs.begin() + static_cast<std::ptrdiff_t>(i));
    if (i < graph.input_dims.size()) {
      graph.input_dims.erase(graph.input_dims.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(StrCat("there is no input '", name, "'"));
}

}  // namespace nereid::engine
