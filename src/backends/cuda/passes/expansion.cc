#include "backends/cuda/passes/expansion.h"

#include <algorithm>
#include <limits>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/passes/infer_rules.h"
#include "backends/cuda/passes/match.h"
#include "common/strings.h"

namespace nereid::engine {

bool Expansion::IsKnown(ValueId id) const {
  const auto& shape = graph_.value(id).shape;
  return shape.has_value() && engine::IsKnown(*shape);
}

const HostTensor* Expansion::Constant(ValueId id) const {
  return id != kNoValue && graph_.value(id).is_constant() ? &*graph_.value(id).constant : nullptr;
}

void Expansion::Append(Node made) {
  ok_ = ok_ && InferNode(graph_, made).ok();
  if (ok_) nodes_.push_back(std::move(made));
}

ValueId Expansion::Op(std::string_view op, std::vector<ValueId> inputs, Attributes attributes,
                      std::string_view domain) {
  ok_ = ok_ && std::ranges::find(inputs, kNoValue) == inputs.end();
  if (!ok_) return kNoValue;
  const ValueId output = graph_.AddValue({.name = StrCat(node.name, "/", op)});
  Append(Node{std::string(op),
              std::string(domain),
              node.name,
              {inputs.begin(), inputs.end()},
              {output},
              std::move(attributes)});
  // What has no rule is not of use here.
  ok_ = ok_ && IsKnown(output);
  return ok_ ? output : kNoValue;
}

void Expansion::Make(size_t i, std::string_view op, std::vector<ValueId> inputs,
                     Attributes attributes, std::string_view domain) {
  if (!ok_ || !node.HasOutput(i)) return;
  const Value before = graph_.value(node.outputs[i]);
  Append(Node{std::string(op),
              std::string(domain),
              node.name,
              {inputs.begin(), inputs.end()},
              {node.outputs[i]},
              std::move(attributes)});
  Value& made = graph_.value(node.outputs[i]);
  const bool fits = made.type == before.type && made.shape == before.shape;
  if (!fits) made = before;
  ok_ = ok_ && fits;
}

ValueId Expansion::Tensor(HostTensor tensor) {
  return graph_.AddConstant(StrCat(node.name, "/constant"), std::move(tensor));
}

ValueId Expansion::Ints(absl::Span<const int64_t> values) {
  return Tensor(HostTensor::Vector(values));
}

ValueId Expansion::Number(double value, DataType type) {
  switch (type) {
    case DataType::kInt64:
      return Tensor(HostTensor::Scalar(static_cast<int64_t>(value)));
    case DataType::kInt32:
      return Tensor(HostTensor::Of<int32_t>(type, {}, {static_cast<int32_t>(value)}));
    case DataType::kFp32:
    case DataType::kFp64:
    case DataType::kFp16:
    case DataType::kBf16:
      return Tensor(MakeTensor(type, {}, [value](int64_t) { return value; }));
    default:
      ok_ = false;
      return kNoValue;
  }
}

ValueId Expansion::Reshape(ValueId id, const Shape& shape) {
  if (!ok_ || ShapeOf(id) == shape) return id;
  return Op("Reshape", {id, Ints(shape)}, {{"allowzero", int64_t{1}}});
}

ValueId Expansion::Transpose(ValueId id, const std::vector<int64_t>& permutation) {
  if (!ok_ || std::ranges::is_sorted(permutation)) return id;
  return Op("Transpose", {id}, {{"perm", permutation}});
}

ValueId Expansion::Cast(ValueId id, DataType type) {
  if (!ok_ || TypeOf(id) == type) return id;
  return Op("Cast", {id}, {{"to", ToOnnxType(type)}});
}

ValueId Expansion::Slice(ValueId id, int64_t axis, int64_t begin, int64_t end) {
  if (!ok_) return id;
  return Op("Slice", {id, Ints({begin}), Ints({end}), Ints({axis})});
}

ValueId Expansion::Concat(std::vector<ValueId> ids, int64_t axis) {
  if (ids.size() == 1) return ids[0];
  return Op("Concat", std::move(ids), {{"axis", axis}});
}

}  // namespace nereid::engine
