#include <algorithm>
#include <map>
#include <numeric>

#include "backends/cuda/lower/lowering.h"
#include "backends/cuda/lower/pointwise_rows.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

// A cluster on its way to becoming one generated kernel.
class Kernel {
 public:
  Kernel(Lowering& l, const std::vector<NodeId>& nodes) : l_(l), nodes_(nodes) {
    const ValueId main = NodeAt(nodes.back()).outputs[0];
    shape_ = l.ShapeOf(main);
    channels_last_ = l.WantsChannelsLast(main) && shape_.size() >= 3;
    // Axes in the order in which the kernel walks them: that of the results in memory.
    axes_.resize(shape_.size());
    std::iota(axes_.begin(), axes_.end(), 0);
    if (channels_last_) std::rotate(axes_.begin() + 1, axes_.begin() + 2, axes_.end());
  }

  absl::Status Lower() {
    NEREID_RETURN_IF_ERROR(ReadInputs());
    for (const NodeId id : nodes_) AddNode(NodeAt(id));
    const std::vector<Operand> outputs = AddOutputs();
    if (spec_.steps.size() > kMaxPointwiseSteps) {
      return absl::UnimplementedError("too many steps for one kernel");
    }
    for (const size_t axis : axes_) spec_.shape.push_back(shape_[axis]);
    l_.Emit(NodeAt(nodes_.front()), std::move(spec_), std::move(operands_), outputs);
    return absl::OkStatus();
  }

 private:
  const Node& NodeAt(NodeId id) const { return l_.graph().nodes[static_cast<size_t>(id)]; }

  std::vector<int64_t> InWalkOrder(const std::vector<int64_t>& strides) const {
    std::vector<int64_t> ordered;
    for (const size_t axis : axes_) ordered.push_back(strides[axis]);
    return ordered;
  }

  // Whether neighbouring threads read neighbouring, or the same, elements.
  bool ReadsInOrder(const Placement& placement) const {
    const std::vector<int64_t> strides = ViewExpanded(placement, shape_).strides;
    for (size_t i = axes_.size(); i-- > 0;) {
      if (shape_[axes_[i]] == 1) continue;
      return strides[axes_[i]] == 0 || strides[axes_[i]] == 1;
    }
    return true;
  }

  bool MadeInside(ValueId id) const {
    return std::ranges::any_of(nodes_, [&](NodeId n) { return NodeAt(n).outputs[0] == id; });
  }

  // Inputs come first among the spec's values, so they are all collected before any step.
  absl::Status ReadInputs() {
    for (const NodeId id : nodes_) {
      for (const ValueId read : NodeAt(id).inputs) {
        if (read == kNoValue || values_.contains(read) || MadeInside(read)) continue;
        const HostTensor* constant = l_.Constant(read);
        if (constant != nullptr && constant->is_scalar_like()) {
          literals_.push_back(read);
          values_[read] = -1;
          continue;
        }
        NEREID_RETURN_IF_ERROR(ReadInput(read));
      }
    }
    if (spec_.inputs.size() > kMaxPointwiseInputs) {
      return absl::UnimplementedError("too many inputs for one kernel");
    }
    for (const ValueId id : literals_) {
      const HostTensor& constant = *l_.Constant(id);
      values_[id] = AddStep("Constant", {}, {constant.AsDouble(0)}, constant.type());
    }
    return absl::OkStatus();
  }

  absl::Status ReadInput(ValueId id) {
    NEREID_ASSIGN_OR_RETURN(Placement placement, l_.At(id));
    if (!Lowering::IsAligned(placement) || !ReadsInOrder(placement)) {
      const bool as_results = channels_last_ && placement.shape.size() == shape_.size() &&
                              placement.shape[1] == shape_[1];
      NEREID_ASSIGN_OR_RETURN(
          const Operand copy,
          l_.In(id, placement.type, as_results ? Order::kChannelsLast : Order::kDense));
      placement.buffer = copy.buffer;
      placement.offset = copy.byte_offset / static_cast<int64_t>(ElementByteSize(placement.type));
      placement.strides =
          as_results ? ChannelsLastStrides(placement.shape) : DenseStrides(placement.shape);
    }
    values_[id] = static_cast<int>(spec_.inputs.size());
    spec_.inputs.push_back({placement.type, InWalkOrder(ViewExpanded(placement, shape_).strides)});
    operands_.push_back(l_.OperandAt(placement));
    return absl::OkStatus();
  }

  int AddStep(std::string function, std::vector<int> operands, std::vector<double> parameters,
              DataType type) {
    spec_.steps.push_back({std::move(function), std::move(operands), std::move(parameters), type});
    return static_cast<int>(spec_.inputs.size() + spec_.steps.size() - 1);
  }

  void AddNode(const Node& node) {
    PointwiseStep step = PointwiseStepOf(node);
    step.type = l_.TypeOf(node.outputs[0]);
    // Narrower unsigned numbers have no sign once they are widened.
    if (step.function == "BitShiftRight" && step.type == DataType::kUint64) {
      step.function = "BitShiftRightUnsigned";
    }
    for (const ValueId read : node.inputs) {
      if (read == kNoValue) continue;
      int value = values_.at(read);
      if (node.op == "Pow" && l_.TypeOf(read) != step.type) {
        value = AddStep("Cast", {value}, {}, step.type);
      }
      step.operands.push_back(value);
    }
    spec_.steps.push_back(std::move(step));
    values_[node.outputs[0]] = static_cast<int>(spec_.inputs.size() + spec_.steps.size() - 1);
  }

  std::vector<Operand> AddOutputs() {
    std::vector<Operand> operands;
    for (const NodeId id : nodes_) {
      const ValueId made = NodeAt(id).outputs[0];
      if (!l_.IsReadOutside(made, nodes_)) continue;
      operands.push_back(
          l_.Out(made, l_.Storage(made), channels_last_ ? Order::kChannelsLast : Order::kDense));
      spec_.outputs.push_back({l_.Storage(made), {}});
      spec_.results.push_back(values_.at(made));
    }
    return operands;
  }

  Lowering& l_;
  const std::vector<NodeId>& nodes_;
  Shape shape_;
  bool channels_last_ = false;
  std::vector<size_t> axes_;
  PointwiseSpec spec_;
  std::vector<Operand> operands_;
  std::vector<ValueId> literals_;
  std::map<ValueId, int> values_;  // position among the spec's values
};

}  // namespace

absl::Status Lowering::LowerPointwise(const std::vector<NodeId>& nodes) {
  const Shape& shape = ShapeOf(graph_.nodes[static_cast<size_t>(nodes.back())].outputs[0]);
  if (ElementsOf(shape) > 0) return Kernel(*this, nodes).Lower();
  for (const NodeId id : nodes) OutDense(graph_.nodes[static_cast<size_t>(id)]);
  return absl::OkStatus();
}

}  // namespace nereid::engine
