#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/cuda/ir/graph.h"
#include "backends/cuda/passes/fold.h"

namespace nereid::engine {

struct SpecializeOptions {
  FoldLimits fold;
  // If with a known condition, and Loop with a known number of at most so many turns, give way to
  // the nodes of their bodies; sequences of known length to the tensors in them.
  bool inline_control = true;
  int64_t max_unrolled_turns = 8;
  // Nodes copied in all: loops inside loops multiply.
  int64_t max_nodes = 8'000'000;
};

// Copies graphs node by node into another, knowing the types, shapes and, as far as they are
// constants, the contents of what each node reads. Use once; not for concurrent use.
class Specializer {
 public:
  explicit Specializer(const SpecializeOptions& options) : options_(options) {}

  // A copy of `graph` whose inputs have these types and shapes (parallel to them).
  absl::StatusOr<Graph> Run(const Graph& graph, absl::Span<const Value> inputs);

 private:
  // The values of the target that stand for those of a source graph; kNoValue: none yet.
  using Names = std::vector<ValueId>;

  absl::Status CopyNodes(const Graph& from, Names& names, const std::string& prefix, Graph& to);
  absl::Status CopyNode(const Graph& from, const Node& node, Names& names,
                        const std::string& prefix, Graph& to);
  ValueId Find(const Graph& from, ValueId id, Names& names, Graph& to);
  absl::Status BindOutputs(const Graph& from, Names& names, Graph& to);

  absl::StatusOr<bool> InlineIf(const Graph& from, const Node& node, Names& names,
                                const std::string& prefix, Graph& to);
  absl::StatusOr<bool> UnrollLoop(const Graph& from, const Node& node, Names& names,
                                  const std::string& prefix, Graph& to);
  // Copies the nodes of a subgraph into `to`, its inputs being `inputs`; its outputs.
  absl::StatusOr<std::vector<ValueId>> CopyBody(const Graph& from, const Graph& body,
                                                absl::Span<const ValueId> inputs, Names& names,
                                                const std::string& prefix, Graph& to);

  // The tensors of a sequence, values of the target.
  using Sequence = std::vector<ValueId>;
  // Whether the node makes, or reads, a sequence that is known.
  absl::StatusOr<bool> ReplaceSequence(const Graph& from, const Node& node, Names& names,
                                       const std::string& prefix, Graph& to);
  absl::StatusOr<std::optional<ValueId>> UnfoldSequence(const Node& node, const std::string& name,
                                                        Graph& to);
  absl::StatusOr<Sequence> SplitIntoSequence(const Node& node, const std::string& name, Graph& to);
  absl::StatusOr<ValueId> JoinSequence(const Node& node, const Sequence& parts,
                                       const std::string& name, Graph& to);
  absl::StatusOr<ValueId> AddNode(Node node, Graph& to);

  // `node` reads values of `to` already; its subgraphs capture those of `from`.
  absl::Status CopySubgraphs(const Graph& from, Names& names, Node& node, Graph& to);
  absl::StatusOr<Graph> CopySubgraph(const Graph& body, absl::Span<const Value> inputs,
                                     const Graph& to);
  absl::StatusOr<Graph> CopySubgraphAlone(const Graph& body, absl::Span<const Value> inputs,
                                          const Graph& to);
  bool ReadsSequence(const Node& node) const;
  absl::Status CopyIf(Node& node, Graph& to);
  absl::Status CopyLoop(Node& node, Graph& to);
  absl::Status CopyScan(Node& node, Graph& to);

  const SpecializeOptions options_;
  int64_t copied_ = 0;
  // Values of the graph that is being made which stand for sequences.
  std::map<ValueId, Sequence> sequences_;
};

}  // namespace nereid::engine
