#include "backends/cuda/lower/layout.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "backends/cuda/ir/nereid_ops.h"
#include "backends/cuda/lower/internal_ops.h"
#include "backends/cuda/lower/pointwise_rows.h"

namespace nereid::engine {
namespace {

// Operators that run as well, or better, on channels that lie side by side, whatever they read.
constexpr std::string_view kLead[] = {"Conv", "ConvTranspose"};
// Those that take images in either order and hand it on.
constexpr std::string_view kFollow[] = {"AveragePool",
                                        "MaxPool",
                                        "Concat",
                                        "GlobalAveragePool",
                                        "GlobalMaxPool",
                                        "Resize",
                                        "GroupNormalization",
                                        "Slice",
                                        "Split",
                                        "InstanceNormalization",
                                        "Pad"};

bool IsImage(const Graph& graph, ValueId id) {
  if (id == kNoValue) return false;
  const auto& shape = graph.value(id).shape;
  return shape && (shape->size() == 3 || shape->size() == 4);
}

int64_t CountOf(const Graph& graph, ValueId id) {
  int64_t count = 1;
  for (int64_t extent : *graph.value(id).shape) count *= extent;
  return count;
}

bool Leads(const Node& node) {
  if (node.domain == kNereidDomain) return node.op == kFusedConv || node.op == kDepthwise;
  return node.domain.empty() && std::ranges::find(kLead, node.op) != std::end(kLead);
}

bool Follows(const Node& node) {
  return IsPointwise(node) ||
         (node.domain.empty() && std::ranges::find(kFollow, node.op) != std::end(kFollow));
}

}  // namespace

std::vector<bool> AssignChannelsLast(const Graph& graph) {
  std::vector<bool> channels_last(graph.values.size(), false);
  for (const Node& node : graph.nodes) {
    if (node.outputs.empty() || !IsImage(graph, node.outputs[0])) continue;
    bool wanted = Leads(node);
    if (!wanted && Follows(node)) {
      const size_t rank = graph.value(node.outputs[0]).shape->size();
      int64_t in_favour = 0;
      for (const ValueId id : node.inputs) {
        if (!IsImage(graph, id) || graph.value(id).is_constant()) continue;
        if (graph.value(id).shape->size() != rank) continue;
        const int64_t count = CountOf(graph, id);
        in_favour += channels_last[static_cast<size_t>(id)] ? count : -count;
      }
      wanted = in_favour > 0;
    }
    if (!wanted) continue;
    for (const ValueId id : node.outputs) {
      if (IsImage(graph, id)) channels_last[static_cast<size_t>(id)] = true;
    }
  }
  return channels_last;
}

}  // namespace nereid::engine
