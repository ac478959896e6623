#include "backends/cuda/lower/legalize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <iterator>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/ir/nereid_ops.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/lower/internal_ops.h"
#include "backends/cuda/lower/legalize_rules.h"
#include "backends/cuda/lower/on_host.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

// One round over the nodes: what an edit made is seen by the next round.
using Rule = void (*)(GraphEditor& editor, NodeId id, const PrecisionOptions& precision);

const Shape& ShapeOf(const GraphEditor& editor, ValueId id) { return *editor.value(id).shape; }

bool HasShape(const GraphEditor& editor, ValueId id) {
  const auto& shape = editor.value(id).shape;
  return shape && std::ranges::all_of(*shape, [](int64_t n) { return n >= 0; });
}

bool IsProductType(DataType type) {
  return type == DataType::kFp32 || type == DataType::kFp16 || type == DataType::kBf16;
}

HostTensor PerChannel(const std::vector<float>& values, size_t rank) {
  Shape shape(rank, 1);
  shape[1] = static_cast<int64_t>(values.size());
  return HostTensor::Of<float>(DataType::kFp32, shape, values);
}

void LowerBatchNorm(GraphEditor& editor, NodeId id, const PrecisionOptions&) {
  const Node node = editor.node(id);
  if (!Is(node, "BatchNormalization") || !HasShape(editor, node.inputs[0])) return;
  const Shape shape = ShapeOf(editor, node.inputs[0]);
  if (shape.size() < 2 || editor.value(node.inputs[0]).type != DataType::kFp32) return;
  const HostTensor* given[5] = {};
  for (size_t i = 1; i < 5; ++i) {
    if (node.HasInput(i)) given[i] = editor.Constant(node.inputs[i]);
    if (given[i] == nullptr) return;
  }
  std::vector<float> scale, shift;
  for (int64_t c = 0; c < shape[1]; ++c) {
    const double s =
        given[1]->AsDouble(c) / std::sqrt(given[4]->AsDouble(c) + node.Float("epsilon", 1e-5f));
    scale.push_back(static_cast<float>(s));
    shift.push_back(static_cast<float>(given[2]->AsDouble(c) - given[3]->AsDouble(c) * s));
  }
  const ValueId by =
      editor.AddConstant(StrCat(node.name, "/scale"), PerChannel(scale, shape.size()));
  const ValueId to =
      editor.AddConstant(StrCat(node.name, "/shift"), PerChannel(shift, shape.size()));
  Node mul{"Mul", "", node.name, {node.inputs[0], by}, {}, {}};
  const ValueId product = editor.InsertBefore(id, mul, DataType::kFp32, shape);
  editor.Replace(id, Node{"Add", "", node.name, {product, to}, {node.outputs[0]}, {}});
}

void SplitTransposedBias(GraphEditor& editor, NodeId id, const PrecisionOptions&) {
  Node node = editor.node(id);
  if (!Is(node, "ConvTranspose") || !node.HasInput(2)) return;
  const HostTensor* bias = editor.Constant(node.inputs[2]);
  if (bias == nullptr || !HasShape(editor, node.outputs[0])) return;
  const Shape shape = ShapeOf(editor, node.outputs[0]);
  Shape wide(shape.size(), 1);
  wide[1] = bias->element_count();
  const ValueId constant = editor.AddConstant(StrCat(node.name, "/bias"), bias->Reshaped(wide));
  const ValueId y = node.outputs[0];
  node.inputs.resize(2);
  node.outputs.clear();
  const ValueId conv = editor.InsertBefore(id, node, editor.value(y).type, shape);
  editor.Replace(id, Node{"Add", "", node.name, {conv, constant}, {y}, {}});
}

// The weight that a value is the transpose of; kNoValue when it is none.
ValueId TransposedWeight(const GraphEditor& editor, ValueId id) {
  const Node* transpose = editor.Producer(id, "Transpose");
  if (transpose == nullptr || ShapeOf(editor, id).size() != 2) return kNoValue;
  const std::vector<int64_t> order = transpose->Ints("perm");
  if (!order.empty() && order[0] == 0) return kNoValue;
  return editor.Constant(transpose->inputs[0]) != nullptr ? transpose->inputs[0] : kNoValue;
}

void LowerMatMul(GraphEditor& editor, NodeId id, const PrecisionOptions&) {
  Node node = editor.node(id);
  if (!Is(node, "MatMul") || !IsProductType(editor.value(node.outputs[0]).type)) return;
  node.op = kGemm;
  node.domain = kNereidDomain;
  if (const ValueId weight = TransposedWeight(editor, node.inputs[1]); weight != kNoValue) {
    node.inputs[1] = weight;
    node.attributes["trans_b"] = int64_t{1};
  }
  editor.Replace(id, std::move(node));
}

bool IsRow(const Shape& shape, int64_t n) {
  if (shape.empty() || shape.back() != n) return false;
  return std::ranges::all_of(absl::MakeConstSpan(shape).subspan(0, shape.size() - 1),
                             [](int64_t extent) { return extent == 1; });
}

// A vector of n elements that the value is, for use as a bias.
ValueId AsVector(GraphEditor& editor, NodeId before, ValueId id, int64_t n) {
  const Shape shape = ShapeOf(editor, id);
  if (shape.size() == 1) return id;
  if (const HostTensor* constant = editor.Constant(id)) {
    return editor.AddConstant(StrCat(editor.value(id).name, "/row"), constant->Reshaped({n}));
  }
  const ValueId target =
      editor.AddConstant(StrCat(editor.value(id).name, "/extent"), HostTensor::Vector({n}));
  return editor.InsertBefore(before, Node{"Reshape", "", "", {id, target}, {}, {}},
                             editor.value(id).type, Shape{n});
}

void LowerGemm(GraphEditor& editor, NodeId id, const PrecisionOptions&) {
  Node node = editor.node(id);
  if (!Is(node, "Gemm") || !IsProductType(editor.value(node.outputs[0]).type)) return;
  const Shape shape = ShapeOf(editor, node.outputs[0]);
  Node gemm{kGemm, kNereidDomain, node.name, {node.inputs[0], node.inputs[1]}, node.outputs, {}};
  gemm.attributes["trans_a"] = node.Int("transA", 0);
  gemm.attributes["trans_b"] = node.Int("transB", 0);
  gemm.attributes["alpha"] = node.Float("alpha", 1);
  if (node.HasInput(2)) {
    if (node.Float("beta", 1) != 1) return;
    const Shape& c = ShapeOf(editor, node.inputs[2]);
    if (IsRow(c, shape[1])) {
      gemm.inputs.push_back(AsVector(editor, id, node.inputs[2], shape[1]));
    } else if (c == shape) {
      gemm.inputs.push_back(kNoValue);
      gemm.inputs.push_back(node.inputs[2]);
    } else {
      return;
    }
  }
  editor.Replace(id, std::move(gemm));
}

// A Gemm of ONNX that none of the forms above fits: β or a C that is broadcast by columns.
void SplitGemm(GraphEditor& editor, NodeId id, const PrecisionOptions&) {
  Node node = editor.node(id);
  if (!Is(node, "Gemm") || !IsProductType(editor.value(node.outputs[0]).type)) return;
  if (!node.HasInput(2)) return;
  const ValueId y = node.outputs[0];
  const DataType type = editor.value(y).type;
  ValueId c = node.inputs[2];
  const float beta = node.Float("beta", 1);
  if (beta != 1) {
    if (type != DataType::kFp32) return;
    const ValueId by = editor.AddConstant(StrCat(node.name, "/beta"),
                                          HostTensor::Of<float>(DataType::kFp32, {}, {beta}));
    c = editor.InsertBefore(id, Node{"Mul", "", node.name, {c, by}, {}, {}}, type,
                            ShapeOf(editor, c));
  }
  node.inputs.resize(2);
  node.attributes.erase("beta");
  node.outputs.clear();
  const ValueId product = editor.InsertBefore(id, node, type, ShapeOf(editor, y));
  editor.Replace(id, Node{"Add", "", node.name, {product, c}, {y}, {}});
}

// What may follow a product in the same piece of work, in this order: + bias, + residual,
// activation. Each rule takes the one node that reads the product.
bool IsPlainGemm(const Node& node) {
  return Is(node, kGemm, kNereidDomain) && node.String("activation", "").empty();
}

void FuseAdd(GraphEditor& editor, NodeId id, const PrecisionOptions&) {
  const Node add = editor.node(id);
  if (!Is(add, "Add")) return;
  for (const size_t side : {size_t{0}, size_t{1}}) {
    const Node* gemm = editor.Producer(add.inputs[side]);
    if (gemm == nullptr || !IsPlainGemm(*gemm) || !editor.HasOneUse(add.inputs[side])) continue;
    const Shape y = ShapeOf(editor, add.outputs[0]);
    const ValueId other = add.inputs[1 - side];
    if (ShapeOf(editor, add.inputs[side]) != y || !HasShape(editor, other)) continue;
    Node fused = *gemm;
    fused.outputs = add.outputs;
    fused.inputs.resize(4, kNoValue);
    const Shape& shape = ShapeOf(editor, other);
    if (IsRow(shape, y.back()) && fused.inputs[2] == kNoValue) {
      fused.inputs[2] = AsVector(editor, id, other, y.back());
    } else if (shape == y && fused.inputs[3] == kNoValue) {
      fused.inputs[3] = other;
    } else {
      continue;
    }
    editor.Replace(id, std::move(fused));
    return;
  }
}

void FuseActivation(GraphEditor& editor, NodeId id, const PrecisionOptions& precision) {
  const Node node = editor.node(id);
  const bool relu = Is(node, "Relu"), gelu = Is(node, "Gelu");
  if (!relu && !gelu) return;
  const Node* gemm = editor.Producer(node.inputs[0]);
  if (gemm == nullptr || !IsPlainGemm(*gemm) || !editor.HasOneUse(node.inputs[0])) return;
  // The library has GELU by tanh only: near enough to the exact one for 16 bits.
  const Precision p = precision.Of(node);
  const bool rounds = p == Precision::kFp16 || p == Precision::kBf16;
  if (gelu && node.String("approximate", "none") != "tanh" && !rounds) return;
  Node fused = *gemm;
  fused.outputs = node.outputs;
  fused.attributes["activation"] = std::string(relu ? "Relu" : "GeluTanh");
  editor.Replace(id, std::move(fused));
}

void FuseAddNorm(GraphEditor& editor, NodeId id, const PrecisionOptions&) {
  const Node norm = editor.node(id);
  const bool layer = Is(norm, "LayerNormalization");
  if (!layer && !Is(norm, "RMSNormalization")) return;
  if (norm.HasOutput(1) || norm.HasOutput(2)) return;
  const Node* add = editor.Producer(norm.inputs[0], "Add");
  if (add == nullptr || !editor.HasOneUse(norm.inputs[0])) return;
  const Shape& y = ShapeOf(editor, norm.outputs[0]);
  if (ShapeOf(editor, add->inputs[0]) != y || ShapeOf(editor, add->inputs[1]) != y) return;
  Node fused{kAddNorm, kNereidDomain, norm.name, norm.inputs, norm.outputs, norm.attributes};
  fused.inputs.resize(4, kNoValue);
  fused.inputs[0] = add->inputs[0];
  fused.inputs[3] = add->inputs[1];
  fused.attributes["rms"] = int64_t{layer ? 0 : 1};
  editor.Replace(id, std::move(fused));
}

// Products of one input with weights of as many rows: queries, keys and values, for one.
bool CanMerge(const GraphEditor& editor, const Node& node) {
  if (!Is(node, kGemm, kNereidDomain) || node.HasInput(3) || node.Int("trans_a", 0) != 0 ||
      node.Int("trans_b", 0) != 0 || node.Float("alpha", 1) != 1) {
    return false;
  }
  const HostTensor* b = editor.Constant(node.inputs[1]);
  if (b == nullptr || b->shape().size() != 2) return false;
  if (!HasShape(editor, node.inputs[0]) || ShapeOf(editor, node.inputs[0]).size() < 2) return false;
  return !node.HasInput(2) || editor.Constant(node.inputs[2]) != nullptr;
}

bool MergesWith(const GraphEditor& editor, const Node& first, const Node& other) {
  return CanMerge(editor, other) && other.inputs[0] == first.inputs[0] &&
         other.HasInput(2) == first.HasInput(2) &&
         other.String("activation", "") == first.String("activation", "") &&
         editor.Constant(other.inputs[1])->type() == editor.Constant(first.inputs[1])->type();
}

void MergeGroup(GraphEditor& editor, const std::vector<NodeId>& group, ConstantPool& pool) {
  const Node first = editor.node(group[0]);
  std::vector<HostTensor> weights, biases;
  std::vector<int64_t> parts;
  for (const NodeId id : group) {
    const Node& node = editor.node(id);
    weights.push_back(*editor.Constant(node.inputs[1]));
    if (node.HasInput(2)) biases.push_back(*editor.Constant(node.inputs[2]));
    parts.push_back(weights.back().shape()[1]);
  }
  const HostTensor weight = pool.JoinColumns(weights);
  Shape shape = ShapeOf(editor, first.outputs[0]);
  shape.back() = weight.shape()[1];
  Node merged = first;
  merged.outputs.clear();
  merged.inputs[1] = editor.AddConstant(StrCat(first.name, "/joined"), weight);
  if (!biases.empty()) {
    merged.inputs[2] =
        editor.AddConstant(StrCat(first.name, "/joined bias"), pool.JoinColumns(biases));
  }
  const ValueId all =
      editor.InsertBefore(group[0], merged, editor.value(first.outputs[0]).type, shape);
  // Each node becomes its slice; the lowering makes views of them.
  int64_t start = 0;
  for (size_t i = 0; i < group.size(); ++i) {
    const Node& node = editor.node(group[i]);
    const auto vector = [&](std::string_view name, int64_t value) {
      return editor.AddConstant(StrCat(node.name, name), HostTensor::Vector({value}));
    };
    Node slice{"Slice", "", node.name, {}, node.outputs, {}};
    slice.inputs = {all, vector("/start", start), vector("/end", start + parts[i]),
                    vector("/axis", -1)};
    start += parts[i];
    editor.Replace(group[i], std::move(slice));
  }
}

bool MergeProducts(Graph& graph, ConstantPool& pool) {
  GraphEditor editor(graph);
  std::vector<bool> merged(graph.nodes.size(), false);
  const size_t count = graph.nodes.size();
  for (size_t i = 0; i < count; ++i) {
    const Node& first = editor.node(static_cast<NodeId>(i));
    if (merged[i] || !CanMerge(editor, first)) continue;
    std::vector<NodeId> group;
    for (const NodeId reader : editor.Readers(first.inputs[0])) {
      if (reader < static_cast<NodeId>(i) || merged[static_cast<size_t>(reader)]) continue;
      if (!MergesWith(editor, first, editor.node(reader))) continue;
      if (std::ranges::find(group, reader) == group.end()) group.push_back(reader);
    }
    if (group.size() < 2) continue;
    std::ranges::sort(group);
    for (const NodeId id : group) merged[static_cast<size_t>(id)] = true;
    MergeGroup(editor, group, pool);
  }
  return editor.Finish();
}

constexpr Rule kRules[] = {LowerBatchNorm, SplitTransposedBias, SplitRecurrent, LowerMatMul,
                           LowerGemm,      SplitGemm,           LowerDepthwise};
constexpr Rule kFusions[] = {FuseAdd, FuseActivation, FuseDepthwiseActivation};
constexpr Rule kLateFusions[] = {FuseAdd, FuseAddNorm, FuseDepthwiseInput};

void Apply(Graph& graph, absl::Span<const Rule> rules, const PrecisionOptions& precision) {
  for (bool changed = true; changed;) {
    changed = false;
    for (const Rule rule : rules) {
      GraphEditor editor(graph);
      for (size_t i = 0; i < graph.nodes.size(); ++i) {
        rule(editor, static_cast<NodeId>(i), precision);
      }
      if (editor.Finish()) {
        RemoveDead(graph);
        changed = true;
      }
    }
  }
}

}  // namespace

HostTensor ConstantPool::JoinColumns(const std::vector<HostTensor>& parts) {
  std::vector<const void*> key;
  for (const HostTensor& part : parts) key.push_back(part.bytes());
  const std::lock_guard lock(mutex_);
  const auto found = joined_.find(key);
  if (found != joined_.end()) return found->second.second;
  Shape shape = parts[0].shape();
  const int64_t rows = shape.size() == 1 ? 1 : shape[0];
  shape.back() = 0;
  for (const HostTensor& part : parts) shape.back() += part.shape().back();
  HostTensor joined(parts[0].type(), shape);
  const size_t size = ElementByteSize(parts[0].type());
  std::byte* to = joined.mutable_data<std::byte>();
  for (int64_t row = 0; row < rows; ++row) {
    for (const HostTensor& part : parts) {
      const size_t bytes = static_cast<size_t>(part.shape().back()) * size;
      std::memcpy(to, part.bytes() + static_cast<size_t>(row) * bytes, bytes);
      to += bytes;
    }
  }
  joined_.emplace(std::move(key), std::make_pair(parts, joined));
  return joined;
}

absl::Status Legalize(Graph& graph, const PrecisionOptions& precision, ConstantPool& pool) {
  HideFromDevice(graph);
  Apply(graph, kRules, precision);
  Apply(graph, kFusions, precision);
  MergeProducts(graph, pool);
  RemoveDead(graph);
  Apply(graph, kLateFusions, precision);
  return graph.Verify();
}

}  // namespace nereid::engine
