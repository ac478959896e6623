#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// Whether the value can lie in device memory: all its extents are known, and its elements are of
// fixed size.
bool HasPlace(const Value& value);

// Puts a nereid.OnHost (lower/internal_ops.h) in the place of every node that reads or makes a
// value without a place on the device, whose extents depend on data or which holds strings, and of
// the small work that follows such nodes. All other nodes read and make values with a place.
void HideFromDevice(Graph& graph);

bool IsHidden(const Node& node);

// The node that runs, and the graph that its ids are of: for a hidden node what it stands for, the
// node itself otherwise.
struct Work {
  const Graph& graph;
  const Node& node;
};
Work WorkOf(const Graph& graph, const Node& node);

// What is hidden in a graph; nothing in most. `cause` is a text for users: the node and operator
// where it begins, and why.
struct HiddenWork {
  std::string cause;
  int nodes = 0;
};
std::optional<HiddenWork> FindHidden(const Graph& graph);

// How strict models are refused: for such work, and for a node (ir/graph.h: Describe) that the
// device has nothing for. UNIMPLEMENTED.
absl::Status RefuseHidden(const HiddenWork& hidden);
absl::Status RefuseOnHost(std::string_view node);
// How all are that have a node that nothing can run.
absl::Status RefuseUnsupported(const Node& node);

}  // namespace nereid::engine
