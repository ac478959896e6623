#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/cuda/ir/graph.h"
#include "backends/cuda/lower/lowered_program.h"
#include "backends/cuda/lower/precision.h"

namespace nereid::engine {

struct LoweringOptions {
  PrecisionOptions precision;
  // Nodes that the reference executor runs, whether or not there is device work for them.
  std::set<NodeId> on_host;
  // Channels innermost for images: what tensor cores want.
  bool channels_last = true;
};

// A legal graph as device work. UNIMPLEMENTED, naming the node, when nothing can run one.
absl::StatusOr<LoweredProgram> LowerGraph(const Graph& graph, const LoweringOptions& options);

inline constexpr int64_t kOperandAlignment = 16;

enum class Order : uint8_t { kDense, kChannelsLast };

// What the rows of lowering functions work with: where values lie, and the program so far.
// Conversions of type and order are put in where a value is asked for in another form than it is
// kept in, once for all readers.
class Lowering {
 public:
  Lowering(const Graph& graph, const LoweringOptions& options);
  absl::StatusOr<LoweredProgram> Run();

  const Graph& graph() const { return graph_; }
  const LoweringOptions& options() const { return options_; }
  const Shape& ShapeOf(ValueId id) const { return *graph_.value(id).shape; }
  DataType TypeOf(ValueId id) const { return graph_.value(id).type; }
  // What the value is, or is to be, kept as.
  DataType Storage(ValueId id) const { return types_.storage[static_cast<size_t>(id)]; }
  DataType Compute(const Node& node) const;
  bool Tf32(const Node& node) const;
  bool WantsChannelsLast(ValueId id) const { return channels_last_[static_cast<size_t>(id)]; }
  const HostTensor* Constant(ValueId id) const;
  const HostTensor* ConstantInput(const Node& node, size_t i) const;

  // Where a value lies now. Constants are dense weights of their storage type.
  absl::StatusOr<Placement> At(ValueId id);
  // The value in this form; kNoValue gives an operand left out.
  absl::StatusOr<Operand> In(ValueId id, DataType type, Order order = Order::kDense);
  Operand Weight(const HostTensor& tensor, DataType type, WeightForm form = {});

  // A new block for an output; the value is dense, or has its channels innermost, in it.
  Operand Out(ValueId id, DataType type, Order order = Order::kDense);
  Operand Out(ValueId id) {
    return Out(id, Storage(id), WantsChannelsLast(id) ? Order::kChannelsLast : Order::kDense);
  }
  // Output i of a node, kept dense; an operand left out when the node does not have it.
  Operand OutDense(const Node& node, size_t i = 0);
  // A block for intermediate results.
  Operand Temporary(size_t byte_size);
  void Alias(ValueId id, Placement placement);
  // Whether the graph's outputs or other nodes than these read the value.
  bool IsReadOutside(ValueId id, const std::vector<NodeId>& nodes) const;

  void Emit(const Node& node, OpSpec spec, std::vector<Operand> inputs,
            std::vector<Operand> outputs);
  // Dense copy, of another type if need be, of what `from` says.
  absl::StatusOr<Operand> Copy(const Placement& from, DataType type, Order order);
  Operand OperandAt(const Placement& placement) const;
  // Kernels take operands whose addresses are multiples of kOperandAlignment only.
  static bool IsAligned(const Placement& placement);
  // Whether it is there before the program runs.
  bool IsWeight(const Operand& operand) const;

  absl::Status LowerOnHost(NodeId id);
  absl::Status LowerPointwise(const std::vector<NodeId>& nodes);

 private:
  absl::StatusOr<Operand> CopyUnaligned(const Placement& from, DataType type, Order order);
  // A tensor on the host, and the step that brings it there: what is first asked for on the device
  // later is sent by that step.
  struct HostValue {
    int slot = -1;
    size_t step = 0;
  };
  // The slot of what the step being emitted reads; fetched, unless a step before it has done so.
  absl::StatusOr<int> SlotOf(ValueId id, HostSpec& spec, std::vector<Operand>& inputs);
  int NewSlot(ValueId id);
  void Send(ValueId id, const HostValue& made);
  void EndSlots();
  BufferId NewBuffer(BufferKind kind, int index, size_t byte_size);
  absl::Status Check() const;
  void PlaceInputs();
  absl::Status LowerNode(NodeId id);
  absl::Status PlaceOutputs();

  const Graph& graph_;
  const LoweringOptions& options_;
  const TypePlan types_;
  const std::vector<bool> channels_last_;
  const std::vector<std::vector<NodeId>> readers_;  // by value
  LoweredProgram program_;
  std::vector<std::optional<Placement>> placements_;                   // by value
  std::map<std::tuple<ValueId, DataType, Order>, Operand> converted_;  // what In() made
  std::map<ValueId, HostValue> on_host_;
  std::map<std::tuple<const void*, int64_t, DataType, WeightForm>, BufferId> weights_;
  std::vector<NodeId> current_;  // nodes whose steps are being emitted
};

using LowerFunction = absl::Status (*)(Lowering& l, const Node& node);

struct LowerRow {
  std::string_view op;  // "Conv", "nereid.FMHA"
  LowerFunction lower;
};

// The families, each a table in a file of its own. A function that returns UNIMPLEMENTED has
// emitted nothing: the node is then run on the host.
absl::Span<const LowerRow> AttentionRows();
absl::Span<const LowerRow> ConvRows();
absl::Span<const LowerRow> GatherRows();
absl::Span<const LowerRow> GemmRows();
absl::Span<const LowerRow> MoveRows();
absl::Span<const LowerRow> NormRows();
absl::Span<const LowerRow> PoolRows();
absl::Span<const LowerRow> RecurrentRows();
absl::Span<const LowerRow> ReduceRows();
absl::Span<const LowerRow> ViewRows();

// Whether there is device work for nodes of this operator; not for every one there may be.
bool HasDeviceWork(const Node& node);
// The first node, of the graph or of those inside it, that neither the device nor the reference
// executor can run; nullptr: none.
const Node* FindUnsupported(const Graph& graph);

// Helpers of the rows.
int64_t ElementsOf(absl::Span<const int64_t> shape);
// Product of the extents before, at and after an axis (which may count from the end).
struct AxisSplit {
  size_t axis = 0;
  int64_t outer = 1, n = 1, inner = 1;
};
AxisSplit SplitAt(const Shape& shape, int64_t axis);
bool IsDeviceFloat(DataType type);  // fp32, fp16, bf16

}  // namespace nereid::engine
