#include "backends/cuda/lower/on_host.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/ir/nereid_ops.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/lower/internal_ops.h"
#include "backends/cuda/reference/evaluator.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

// What has no more elements than this is computed faster where it is than brought to the device.
constexpr int64_t kSmall = 1024;

int64_t CountOf(const Value& value) {
  int64_t count = 1;
  for (const int64_t extent : *value.shape) count *= extent;
  return count;
}

std::vector<ValueId> ReadsOf(const Node& node) {
  std::vector<ValueId> reads(node.inputs.begin(), node.inputs.end());
  const std::vector<ValueId> captured = CapturedValues(node);
  reads.insert(reads.end(), captured.begin(), captured.end());
  std::erase(reads, kNoValue);
  return reads;
}

// The node alone in a graph, whose inputs are what the hidden node reads.
Node Hide(const Graph& graph, const Node& node) {
  auto body = std::make_shared<Graph>();
  body->name = node.name;
  body->opset = graph.opset;
  Node hidden{.op = kOnHost,
              .domain = kNereidDomain,
              .name = node.name,
              .inputs = {},
              .outputs = node.outputs,
              .attributes = {}};
  std::map<ValueId, ValueId> known;
  const auto take = [&](ValueId id) {
    if (id == kNoValue) return kNoValue;
    const auto [at, is_new] = known.emplace(id, kNoValue);
    if (!is_new) return at->second;
    at->second = body->AddValue(graph.value(id));
    if (!graph.value(id).is_constant()) {
      body->inputs.push_back(at->second);
      hidden.inputs.push_back(id);
    }
    return at->second;
  };
  Node copy = node;
  for (ValueId& id : copy.inputs) id = take(id);
  RenameCaptures(copy, take);
  for (ValueId& id : copy.outputs) {
    if (id == kNoValue) continue;
    id = body->AddValue(graph.value(id));
    body->outputs.push_back(id);
  }
  body->nodes.push_back(std::move(copy));
  hidden.attributes["body"] = std::shared_ptr<const Graph>(std::move(body));
  return hidden;
}

// Why the node cannot run on the device.
std::string CauseOf(const Work& work) {
  const auto lacks = [&](ValueId id) { return id != kNoValue && !HasPlace(work.graph.value(id)); };
  for (const ValueId id : work.node.outputs) {
    if (lacks(id) && ElementByteSize(work.graph.value(id).type) > 0) {
      return StrCat(Describe(work.node), " makes a tensor whose extents depend on data");
    }
  }
  std::vector<ValueId> values = ReadsOf(work.node);
  values.insert(values.end(), work.node.outputs.begin(), work.node.outputs.end());
  const auto found = std::ranges::find_if(values, lacks);
  if (found == values.end()) return Describe(work.node);
  if (work.graph.value(*found).type == DataType::kInvalid) {
    return StrCat(Describe(work.node), " makes a tensor of which nothing is known before it runs");
  }
  return StrCat(Describe(work.node), " reads or makes a tensor of type ",
                ProtocolName(work.graph.value(*found).type));
}

}  // namespace

bool HasPlace(const Value& value) {
  return ElementByteSize(value.type) > 0 && value.shape.has_value() &&
         std::ranges::none_of(*value.shape, [](int64_t extent) { return extent < 0; });
}

void HideFromDevice(Graph& graph) {
  std::vector<bool> on_host(graph.values.size(), false);  // made there
  for (Node& node : graph.nodes) {
    std::vector<ValueId> touched = ReadsOf(node);
    const bool follows =
        std::ranges::any_of(touched, [&](ValueId id) { return on_host[static_cast<size_t>(id)]; });
    touched.insert(touched.end(), node.outputs.begin(), node.outputs.end());
    std::erase(touched, kNoValue);
    const auto lacks_place = [&](ValueId id) { return !HasPlace(graph.value(id)); };
    const bool must = std::ranges::any_of(touched, lacks_place);
    const auto is_small = [&](ValueId id) { return CountOf(graph.value(id)) <= kSmall; };
    if (!must && !(follows && HasReference(node) && std::ranges::all_of(touched, is_small))) {
      continue;
    }
    for (const ValueId id : node.outputs) {
      if (id != kNoValue) on_host[static_cast<size_t>(id)] = true;
    }
    if (!IsHidden(node)) node = Hide(graph, node);
  }
}

bool IsHidden(const Node& node) { return node.op == kOnHost && node.domain == kNereidDomain; }

Work WorkOf(const Graph& graph, const Node& node) {
  if (!IsHidden(node)) return {graph, node};
  const Graph& body = *node.Subgraph("body");
  return {body, body.nodes.front()};
}

std::optional<HiddenWork> FindHidden(const Graph& graph) {
  std::optional<HiddenWork> found;
  for (const Node& node : graph.nodes) {
    if (!IsHidden(node)) continue;
    if (!found) found = HiddenWork{CauseOf(WorkOf(graph, node)), 0};
    ++found->nodes;
  }
  return found;
}

absl::Status RefuseHidden(const HiddenWork& hidden) {
  return absl::UnimplementedError(StrCat(
      hidden.cause, ", for which there is no device implementation, and the model is strict"));
}

absl::Status RefuseUnsupported(const Node& node) {
  return absl::UnimplementedError(StrCat(Describe(node), " is not supported"));
}

absl::Status RefuseOnHost(std::string_view node) {
  return absl::UnimplementedError(
      StrCat(node, " has no device implementation, and the model is strict"));
}

}  // namespace nereid::engine
