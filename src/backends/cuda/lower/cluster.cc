#include "backends/cuda/lower/cluster.h"

#include <algorithm>
#include <set>

#include "backends/cuda/codegen/pointwise.h"
#include "backends/cuda/lower/pointwise_rows.h"
#include "backends/cuda/reference/evaluator.h"

namespace nereid::engine {
namespace {

// A kernel may compute so many nodes of a smaller shape again for each element they are spread to:
// it waits for memory anyway.
constexpr size_t kMostRepeated = 8;

// Whether ONNX would broadcast one shape to exactly the other.
bool SpreadsTo(const Shape& from, const Shape& to) {
  if (from.size() > to.size()) return false;
  for (size_t i = 0; i < from.size(); ++i) {
    const int64_t extent = from[from.size() - 1 - i];
    if (extent != 1 && extent != to[to.size() - 1 - i]) return false;
  }
  return true;
}

class Clusters {
 public:
  explicit Clusters(const Graph& graph)
      : graph_(graph), producers_(graph.Producers()), readers_(graph.Consumers()) {}

  std::vector<Cluster> Form() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      Add(static_cast<NodeId>(i));
      if (clusters_.back().pointwise) JoinProducers(static_cast<NodeId>(i));
    }
    return InOrder();
  }

 private:
  std::vector<ValueId> ReadsOf(NodeId id) const {
    const Node& node = graph_.nodes[static_cast<size_t>(id)];
    std::vector<ValueId> reads(node.inputs.begin(), node.inputs.end());
    const std::vector<ValueId> captured = CapturedValues(node);
    reads.insert(reads.end(), captured.begin(), captured.end());
    std::erase(reads, kNoValue);
    return reads;
  }

  int ProducerCluster(ValueId id) const {
    const NodeId producer = producers_[static_cast<size_t>(id)];
    return producer < 0 ? -1 : cluster_of_[static_cast<size_t>(producer)];
  }

  void Add(NodeId id) {
    cluster_of_.push_back(static_cast<int>(clusters_.size()));
    clusters_.push_back({{id}, CanCluster(graph_.nodes[static_cast<size_t>(id)])});
  }

  bool CanCluster(const Node& node) const {
    if (!IsPointwise(node) || node.outputs.size() != 1) return false;
    const auto fixed = [&](ValueId id) {
      return id == kNoValue || ElementByteSize(graph_.value(id).type) > 0;
    };
    return std::ranges::all_of(node.inputs, fixed) && fixed(node.outputs[0]);
  }

  void JoinProducers(NodeId id) {
    for (const ValueId read : ReadsOf(id)) {
      const int mine = cluster_of_[static_cast<size_t>(id)];
      const int other = ProducerCluster(read);
      if (other >= 0 && other != mine && CanJoin(other, mine)) Join(other, mine);
    }
  }

  // Of what the kernel walks over: its last node is what the others are joined to.
  const Shape& ShapeOf(int cluster) const {
    const Node& node =
        graph_.nodes[static_cast<size_t>(clusters_[static_cast<size_t>(cluster)].nodes.back())];
    return *graph_.value(node.outputs[0]).shape;
  }

  bool IsIn(NodeId node, int a, int b) const {
    if (node < 0 || static_cast<size_t>(node) >= cluster_of_.size()) return false;
    const int cluster = cluster_of_[static_cast<size_t>(node)];
    return cluster == a || cluster == b;
  }

  // Whether what a cluster makes is of a smaller shape and read in the other only.
  bool CanSpread(int small, int large) const {
    const Cluster& cluster = clusters_[static_cast<size_t>(small)];
    if (cluster.nodes.size() > kMostRepeated || !SpreadsTo(ShapeOf(small), ShapeOf(large))) {
      return false;
    }
    return std::ranges::all_of(cluster.nodes, [&](NodeId id) {
      const ValueId made = graph_.nodes[static_cast<size_t>(id)].outputs[0];
      return std::ranges::all_of(readers_[static_cast<size_t>(made)],
                                 [&](NodeId reader) { return IsIn(reader, small, large); });
    });
  }

  bool CanJoin(int a, int b) const {
    const Cluster &x = clusters_[static_cast<size_t>(a)], &y = clusters_[static_cast<size_t>(b)];
    if (!x.pointwise || !y.pointwise) return false;
    if (ShapeOf(a) != ShapeOf(b) && !CanSpread(a, b)) return false;
    return FitsGenerator(a, b) && !ReachesAround(a, b) && !ReachesAround(b, a);
  }

  // Counts what the joined kernel would read, write and compute; literals count as steps, too.
  bool FitsGenerator(int a, int b) const {
    std::set<ValueId> reads, writes;
    size_t steps = 0;
    for (const int cluster : {a, b}) {
      for (const NodeId id : clusters_[static_cast<size_t>(cluster)].nodes) {
        ++steps;
        for (const ValueId read : ReadsOf(id)) {
          const int from = ProducerCluster(read);
          if (from == a || from == b) continue;
          const Value& value = graph_.value(read);
          if (value.is_constant() && value.constant->is_scalar_like()) {
            ++steps;  // a literal
          } else {
            reads.insert(read);
          }
        }
        const ValueId made = graph_.nodes[static_cast<size_t>(id)].outputs[0];
        const auto inside = [&](NodeId reader) { return IsIn(reader, a, b); };
        if (!std::ranges::all_of(readers_[static_cast<size_t>(made)], inside)) writes.insert(made);
      }
    }
    // The last node's result has readers that are not in a cluster yet.
    return reads.size() <= kMaxPointwiseInputs && writes.size() <= kMaxPointwiseOutputs &&
           steps <= kMaxPointwiseSteps;
  }

  // Whether `from` feeds `to` through a third cluster, so that joined they would wait for
  // themselves.
  bool ReachesAround(int from, int to) const {
    const NodeId first = clusters_[static_cast<size_t>(from)].nodes.front();
    std::set<int> seen = {from, to};
    std::vector<int> pending = {to};
    bool at_start = true;
    while (!pending.empty()) {
      const int at = pending.back();
      pending.pop_back();
      for (const NodeId id : clusters_[static_cast<size_t>(at)].nodes) {
        for (const ValueId read : ReadsOf(id)) {
          const int next = ProducerCluster(read);
          if (next == from && !at_start) return true;
          if (next < 0 || seen.contains(next)) continue;
          // What comes before the first node of `from` altogether cannot depend on it.
          if (clusters_[static_cast<size_t>(next)].nodes.back() < first) continue;
          seen.insert(next);
          pending.push_back(next);
        }
      }
      at_start = false;
    }
    return false;
  }

  void Join(int from, int into) {
    auto& source = clusters_[static_cast<size_t>(from)].nodes;
    auto& target = clusters_[static_cast<size_t>(into)].nodes;
    for (const NodeId id : source) cluster_of_[static_cast<size_t>(id)] = into;
    target.insert(target.end(), source.begin(), source.end());
    std::ranges::sort(target);
    source.clear();
  }

  // Depth first, by the last node of each: close to the order of the graph.
  std::vector<Cluster> InOrder() {
    std::vector<Cluster> ordered;
    std::vector<bool> done(clusters_.size(), false);
    std::vector<int> stack;
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      stack.push_back(cluster_of_[n]);
      while (!stack.empty()) {
        const int at = stack.back();
        if (done[static_cast<size_t>(at)]) {
          stack.pop_back();
          continue;
        }
        const size_t depth = stack.size();
        for (const NodeId id : clusters_[static_cast<size_t>(at)].nodes) {
          for (const ValueId read : ReadsOf(id)) {
            const int from = ProducerCluster(read);
            if (from >= 0 && from != at && !done[static_cast<size_t>(from)]) stack.push_back(from);
          }
        }
        if (stack.size() > depth) continue;
        done[static_cast<size_t>(at)] = true;
        ordered.push_back(clusters_[static_cast<size_t>(at)]);
        stack.pop_back();
      }
    }
    return ordered;
  }

  const Graph& graph_;
  const std::vector<NodeId> producers_;
  const std::vector<std::vector<NodeId>> readers_;
  std::vector<Cluster> clusters_;
  std::vector<int> cluster_of_;  // by node
};

}  // namespace

std::vector<Cluster> FormClusters(const Graph& graph) { return Clusters(graph).Form(); }

}  // namespace nereid::engine
