#include "backends/cuda/lower/lowering.h"

#include <algorithm>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/lower/cluster.h"
#include "backends/cuda/lower/layout.h"
#include "backends/cuda/lower/on_host.h"
#include "backends/cuda/lower/pointwise_rows.h"
#include "backends/cuda/reference/evaluator.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

constexpr absl::Span<const LowerRow> (*kFamilies[])() = {
    AttentionRows, ConvRows, GatherRows,    GemmRows,   MoveRows,
    NormRows,      PoolRows, RecurrentRows, ReduceRows, ViewRows};

LowerFunction FindRow(const Node& node) {
  const std::string name = node.domain.empty() ? node.op : StrCat(node.domain, ".", node.op);
  for (const auto& family : kFamilies) {
    for (const LowerRow& row : family()) {
      if (row.op == name) return row.lower;
    }
  }
  return nullptr;
}

size_t ByteSize(const Shape& shape, DataType type) {
  return static_cast<size_t>(ElementsOf(shape)) * ElementByteSize(type);
}

// [n, channels, pixels]
LayoutSpec LayoutCopy(const Shape& shape, DataType from, DataType to, bool to_channels_last) {
  LayoutSpec spec;
  spec.type = from;
  spec.out_type = to;
  spec.to_channels_last = to_channels_last;
  spec.n = shape[0];
  spec.channels = shape[1];
  spec.pixels = ElementsOf(absl::MakeConstSpan(shape).subspan(2));
  return spec;
}

PointwiseSpec CastSpec(const Placement& from, DataType to, std::vector<int64_t> out_strides) {
  PointwiseSpec spec;
  spec.shape = from.shape;
  spec.inputs = {{from.type, from.strides}};
  spec.steps = {{"Cast", {0}, {}, to}};
  spec.outputs = {{to, std::move(out_strides)}};
  spec.results = {1};
  return spec;
}

}  // namespace

bool HasDeviceWork(const Node& node) { return IsPointwise(node) || FindRow(node) != nullptr; }

const Node* FindUnsupported(const Graph& graph) {
  for (const Node& node : graph.nodes) {
    if (!IsHidden(node) && !HasDeviceWork(node) && !HasReference(node)) return &node;
    for (const auto& [name, attribute] : node.attributes) {
      const auto* inner = std::get_if<std::shared_ptr<const Graph>>(&attribute);
      if (inner == nullptr || *inner == nullptr) continue;
      if (const Node* found = FindUnsupported(**inner)) return found;
    }
  }
  return nullptr;
}

int64_t ElementsOf(absl::Span<const int64_t> shape) {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}

AxisSplit SplitAt(const Shape& shape, int64_t axis) {
  AxisSplit split;
  if (shape.empty()) return split;
  if (axis < 0) axis += static_cast<int64_t>(shape.size());
  split.axis = static_cast<size_t>(axis);
  split.outer = ElementsOf(absl::MakeConstSpan(shape).subspan(0, split.axis));
  split.n = shape[split.axis];
  split.inner = ElementsOf(absl::MakeConstSpan(shape).subspan(split.axis + 1));
  return split;
}

bool IsDeviceFloat(DataType type) {
  return type == DataType::kFp32 || type == DataType::kFp16 || type == DataType::kBf16;
}

absl::StatusOr<LoweredProgram> LowerGraph(const Graph& graph, const LoweringOptions& options) {
  return Lowering(graph, options).Run();
}

Lowering::Lowering(const Graph& graph, const LoweringOptions& options)
    : graph_(graph),
      options_(options),
      types_(AssignTypes(graph, options.precision)),
      channels_last_(options.channels_last ? AssignChannelsLast(graph)
                                           : std::vector<bool>(graph.values.size(), false)),
      readers_(graph.Consumers()),
      placements_(graph.values.size()) {}

absl::StatusOr<LoweredProgram> Lowering::Run() {
  NEREID_RETURN_IF_ERROR(Check());
  PlaceInputs();
  for (const Cluster& cluster : FormClusters(graph_)) {
    current_ = cluster.nodes;
    const bool host = std::ranges::any_of(cluster.nodes,
                                          [&](NodeId id) { return options_.on_host.contains(id); });
    if (cluster.pointwise && !host) {
      NEREID_RETURN_IF_ERROR(LowerPointwise(cluster.nodes));
      continue;
    }
    for (const NodeId id : cluster.nodes) {
      current_ = {id};
      NEREID_RETURN_IF_ERROR(LowerNode(id));
    }
  }
  current_.clear();
  NEREID_RETURN_IF_ERROR(PlaceOutputs());
  EndSlots();
  return std::move(program_);
}

absl::Status Lowering::Check() const {
  const auto check = [&](ValueId id, const std::string& what) -> absl::Status {
    if (id == kNoValue) return absl::OkStatus();
    const Value& value = graph_.value(id);
    if (HasPlace(value)) return absl::OkStatus();
    return absl::InternalError(
        StrCat(what, ": value '", value.name, "' has no place on the device"));
  };
  for (const Node& node : graph_.nodes) {
    if (IsHidden(node)) continue;
    for (const ValueId id : node.outputs) NEREID_RETURN_IF_ERROR(check(id, Describe(node)));
  }
  return absl::OkStatus();
}

DataType Lowering::Compute(const Node& node) const {
  for (const ValueId id : node.inputs) {  // what the model itself has in 16 bits stays so
    if (id == kNoValue) continue;
    if (IsFloating(TypeOf(id)) && TypeOf(id) != DataType::kFp32) return TypeOf(id);
  }
  const auto index = static_cast<size_t>(&node - graph_.nodes.data());
  return types_.compute[index];
}

bool Lowering::Tf32(const Node& node) const {
  return types_.tf32[static_cast<size_t>(&node - graph_.nodes.data())];
}

const HostTensor* Lowering::Constant(ValueId id) const {
  if (id == kNoValue || !graph_.value(id).is_constant()) return nullptr;
  return &*graph_.value(id).constant;
}

const HostTensor* Lowering::ConstantInput(const Node& node, size_t i) const {
  return node.HasInput(i) ? Constant(node.inputs[i]) : nullptr;
}

BufferId Lowering::NewBuffer(BufferKind kind, int index, size_t byte_size) {
  program_.buffers.push_back({kind, index, byte_size});
  return static_cast<BufferId>(program_.buffers.size() - 1);
}

void Lowering::PlaceInputs() {
  for (size_t i = 0; i < graph_.inputs.size(); ++i) {
    const ValueId id = graph_.inputs[i];
    const Shape& shape = ShapeOf(id);
    if (!HasPlace(graph_.value(id))) {
      program_.inputs.push_back({kNoBuffer, TypeOf(id), 0, shape, {}});
      program_.input_slots.push_back(NewSlot(id));
      continue;
    }
    program_.input_slots.push_back(kOnDevice);
    const BufferId buffer =
        NewBuffer(BufferKind::kInput, static_cast<int>(i), ByteSize(shape, TypeOf(id)));
    const Placement placement{buffer, TypeOf(id), 0, shape, DenseStrides(shape)};
    placements_[static_cast<size_t>(id)] = placement;
    program_.inputs.push_back(placement);
  }
}

absl::Status Lowering::PlaceOutputs() {
  const std::vector<NodeId> producers = graph_.Producers();
  for (const ValueId id : graph_.outputs) {
    const NodeId producer = producers[static_cast<size_t>(id)];
    const bool hidden = producer >= 0 ? IsHidden(graph_.nodes[static_cast<size_t>(producer)])
                                      : !HasPlace(graph_.value(id));
    const auto found = on_host_.find(id);
    if (hidden && found != on_host_.end()) {
      program_.outputs.push_back({kNoBuffer, TypeOf(id), 0, {}, {}});
      program_.output_slots.push_back(found->second.slot);
      continue;
    }
    program_.output_slots.push_back(kOnDevice);
    if (!HasPlace(graph_.value(id))) {
      return absl::UnimplementedError(StrCat("output '", graph_.value(id).name,
                                             "' is a constant without a place on the device"));
    }
    NEREID_ASSIGN_OR_RETURN(const Operand operand, In(id, TypeOf(id)));
    const Shape& shape = ShapeOf(id);
    const auto size = static_cast<int64_t>(ElementByteSize(TypeOf(id)));
    program_.outputs.push_back(
        {operand.buffer, TypeOf(id), operand.byte_offset / size, shape, DenseStrides(shape)});
  }
  return absl::OkStatus();
}

Operand Lowering::Weight(const HostTensor& tensor, DataType type, WeightForm form) {
  const auto key =
      std::make_tuple(static_cast<const void*>(tensor.bytes()), tensor.element_count(), type, form);
  const auto found = weights_.find(key);
  if (found != weights_.end()) return {found->second, 0};
  int64_t count = tensor.element_count();
  if (form.channels != 0 && tensor.shape().size() > 1 && tensor.shape()[1] > 0) {
    count = count / tensor.shape()[1] * form.channels;
  }
  const BufferId buffer = NewBuffer(BufferKind::kWeight, static_cast<int>(program_.weights.size()),
                                    static_cast<size_t>(count) * ElementByteSize(type));
  program_.weights.push_back({tensor, type, form});
  weights_.emplace(key, buffer);
  return {buffer, 0};
}

absl::StatusOr<Placement> Lowering::At(ValueId id) {
  auto& placement = placements_[static_cast<size_t>(id)];
  if (placement) return *placement;
  if (const auto made = on_host_.find(id); made != on_host_.end()) {
    Send(id, made->second);
    return *placement;
  }
  const HostTensor* constant = Constant(id);
  if (constant == nullptr) {
    return absl::InternalError(
        StrCat("value '", graph_.value(id).name, "' is read before it is made"));
  }
  const Operand weight = Weight(*constant, constant->type());
  placement = Placement{weight.buffer, constant->type(), 0, constant->shape(),
                        DenseStrides(constant->shape())};
  return *placement;
}

Operand Lowering::OperandAt(const Placement& placement) const {
  return {placement.buffer,
          placement.offset * static_cast<int64_t>(ElementByteSize(placement.type))};
}

absl::StatusOr<Operand> Lowering::In(ValueId id, DataType type, Order order) {
  if (id == kNoValue) return Operand{};
  const HostTensor* constant = Constant(id);
  if (constant != nullptr && order == Order::kDense &&
      (constant->type() == type || (IsFloating(constant->type()) && IsDeviceFloat(type)))) {
    return Weight(*constant, type);
  }
  NEREID_ASSIGN_OR_RETURN(const Placement placement, At(id));
  const bool in_order = order == Order::kDense ? IsDense(placement) : IsChannelsLast(placement);
  if (in_order && placement.type == type && IsAligned(placement)) return OperandAt(placement);
  const auto key = std::make_tuple(id, type, order);
  const auto found = converted_.find(key);
  if (found != converted_.end()) return found->second;
  NEREID_ASSIGN_OR_RETURN(const Operand copy, Copy(placement, type, order));
  converted_.emplace(key, copy);
  return copy;
}

absl::StatusOr<Operand> Lowering::Copy(const Placement& from, DataType type, Order order) {
  if (!IsAligned(from)) return CopyUnaligned(from, type, order);
  const Operand out = Temporary(ByteSize(from.shape, type));
  std::vector<int64_t> strides =
      order == Order::kDense ? DenseStrides(from.shape) : ChannelsLastStrides(from.shape);
  const auto emit = [&](OpSpec spec) {
    program_.steps.push_back({"", {}, std::move(spec), {OperandAt(from)}, {out}});
  };
  const bool floats = IsDeviceFloat(from.type) && IsDeviceFloat(type);
  const bool moves = from.type == type || floats;
  const size_t rank = from.shape.size();
  if (ElementsOf(from.shape) == 0) return out;
  if (SameStrides(from.shape, from.strides, strides)) {  // in whatever order, but the same
    Placement flat = from;
    flat.shape = {ElementsOf(from.shape)};
    flat.strides = {1};
    emit(CastSpec(flat, type, {}));
  } else if (rank >= 3 && floats && order == Order::kChannelsLast && IsDense(from)) {
    emit(LayoutCopy(from.shape, from.type, type, true));
  } else if (rank >= 3 && floats && order == Order::kDense && IsChannelsLast(from)) {
    emit(LayoutCopy(from.shape, from.type, type, false));
  } else if (const auto axes = DenseOrder(from); axes && moves && order == Order::kDense) {
    // The dense block with its axes in memory order, brought into the order of the value.
    TransposeSpec spec;
    spec.type = from.type;
    spec.out_type = type;
    spec.permutation.resize(rank);
    for (size_t i = 0; i < rank; ++i) {
      spec.shape.push_back(from.shape[static_cast<size_t>((*axes)[i])]);
      spec.permutation[static_cast<size_t>((*axes)[i])] = static_cast<int64_t>(i);
    }
    emit(std::move(spec));
  } else if (from.type == type) {
    emit(StridedCopySpec{type, from.shape, from.strides, std::move(strides), 0, 0});
  } else {
    emit(CastSpec(from, type, std::move(strides)));
  }
  return out;
}

absl::StatusOr<Operand> Lowering::CopyUnaligned(const Placement& from, DataType type, Order order) {
  Placement whole = from;
  whole.offset = 0;
  Placement copy = from;
  copy.offset = 0;
  copy.strides = DenseStrides(from.shape);
  const Operand out = Temporary(ByteSize(from.shape, from.type));
  copy.buffer = out.buffer;
  program_.steps.push_back(
      {"",
       {},
       StridedCopySpec{from.type, from.shape, from.strides, copy.strides, from.offset, 0},
       {OperandAt(whole)},
       {out}});
  const bool in_order = order == Order::kDense || IsChannelsLast(copy);
  if (in_order && type == from.type) return out;
  return Copy(copy, type, order);
}

Operand Lowering::Temporary(size_t byte_size) {
  return {NewBuffer(BufferKind::kActivation, -1, byte_size), 0};
}

Operand Lowering::Out(ValueId id, DataType type, Order order) {
  const Shape& shape = ShapeOf(id);
  const Operand out = Temporary(ByteSize(shape, type));
  placements_[static_cast<size_t>(id)] =
      Placement{out.buffer, type, 0, shape,
                order == Order::kDense ? DenseStrides(shape) : ChannelsLastStrides(shape)};
  return out;
}

Operand Lowering::OutDense(const Node& node, size_t i) {
  if (!node.HasOutput(i)) return {};
  return Out(node.outputs[i], Storage(node.outputs[i]), Order::kDense);
}

void Lowering::Alias(ValueId id, Placement placement) {
  placements_[static_cast<size_t>(id)] = std::move(placement);
}

bool Lowering::IsReadOutside(ValueId id, const std::vector<NodeId>& nodes) const {
  return std::ranges::any_of(readers_[static_cast<size_t>(id)], [&](NodeId reader) {
    return std::ranges::find(nodes, reader) == nodes.end();
  });
}

void Lowering::Emit(const Node& node, OpSpec spec, std::vector<Operand> inputs,
                    std::vector<Operand> outputs) {
  program_.steps.push_back(
      {node.name, current_, std::move(spec), std::move(inputs), std::move(outputs)});
}

absl::Status Lowering::LowerNode(NodeId id) {
  const Node& node = graph_.nodes[static_cast<size_t>(id)];
  if (IsHidden(node)) return LowerOnHost(id);
  // Nothing to compute; its outputs may still be read.
  const bool empty = std::ranges::all_of(
      node.outputs, [&](ValueId out) { return out == kNoValue || ElementsOf(ShapeOf(out)) == 0; });
  if (empty) {
    for (size_t i = 0; i < node.outputs.size(); ++i) OutDense(node, i);
    return absl::OkStatus();
  }
  const LowerFunction lower = options_.on_host.contains(id) ? nullptr : FindRow(node);
  if (lower != nullptr) {
    const absl::Status status = lower(*this, node);
    if (status.code() != absl::StatusCode::kUnimplemented) return status;
  }
  return LowerOnHost(id);
}

bool Lowering::IsWeight(const Operand& operand) const {
  return operand.buffer != kNoBuffer &&
         program_.buffers[static_cast<size_t>(operand.buffer)].kind == BufferKind::kWeight;
}

bool Lowering::IsAligned(const Placement& p) {
  return p.offset * static_cast<int64_t>(ElementByteSize(p.type)) % kOperandAlignment == 0;
}

int Lowering::NewSlot(ValueId id) {
  const int slot = program_.slot_count++;
  on_host_[id] = {slot, program_.steps.size()};
  return slot;
}

absl::StatusOr<int> Lowering::SlotOf(ValueId id, HostSpec& spec, std::vector<Operand>& inputs) {
  if (const auto found = on_host_.find(id); found != on_host_.end()) return found->second.slot;
  NEREID_ASSIGN_OR_RETURN(const Operand operand, In(id, TypeOf(id)));
  inputs.push_back(operand);
  spec.fetch.push_back({id, NewSlot(id)});
  return spec.fetch.back().slot;
}

void Lowering::Send(ValueId id, const HostValue& made) {
  LoweredStep& step = program_.steps[made.step];
  step.outputs.push_back(Out(id, TypeOf(id), Order::kDense));
  std::get<HostSpec>(step.spec).send.push_back({id, made.slot});
}

absl::Status Lowering::LowerOnHost(NodeId id) {
  const Node& node = graph_.nodes[static_cast<size_t>(id)];
  const Work work = WorkOf(graph_, node);
  if (!HasReference(work.node)) {
    return RefuseUnsupported(work.node);
  }
  HostSpec spec;
  spec.node = id;
  spec.op = work.node.op;
  std::vector<Operand> inputs;
  std::vector<ValueId> reads(work.node.inputs.begin(), work.node.inputs.end());
  const std::vector<ValueId> captured = CapturedValues(work.node);
  reads.insert(reads.end(), captured.begin(), captured.end());
  for (ValueId read : reads) {
    spec.operands.push_back(-1);
    if (read == kNoValue || work.graph.value(read).is_constant()) continue;
    if (IsHidden(node)) {
      const auto at = std::ranges::find(work.graph.inputs, read) - work.graph.inputs.begin();
      read = node.inputs[static_cast<size_t>(at)];
    }
    NEREID_ASSIGN_OR_RETURN(spec.operands.back(), SlotOf(read, spec, inputs));
  }
  for (const ValueId made : node.outputs) {
    spec.results.push_back(made == kNoValue ? -1 : NewSlot(made));
  }
  Emit(node, std::move(spec), std::move(inputs), {});
  return absl::OkStatus();
}

// Tensors on the host go as soon as nothing reads them any more.
void Lowering::EndSlots() {
  std::vector<bool> used(static_cast<size_t>(program_.slot_count), false);
  for (const int slot : program_.output_slots) {
    if (slot != kOnDevice) used[static_cast<size_t>(slot)] = true;
  }
  for (auto step = program_.steps.rbegin(); step != program_.steps.rend(); ++step) {
    auto* host = std::get_if<HostSpec>(&step->spec);
    if (host == nullptr) continue;
    for (const auto* slots : {&host->operands, &host->results}) {
      for (const int slot : *slots) {
        if (slot < 0 || used[static_cast<size_t>(slot)]) continue;
        used[static_cast<size_t>(slot)] = true;
        host->last_used.push_back(slot);
      }
    }
  }
}

}  // namespace nereid::engine
