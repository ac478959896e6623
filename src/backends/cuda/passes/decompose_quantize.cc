// Quantisation as pointwise operators: models with quantised weights and activations run in
// floating point then, with the numbers they were quantised to.

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/passes/expansion.h"

namespace nereid::engine {
namespace {

struct IntegerRow {
  DataType type;
  double lowest, highest;
};
constexpr IntegerRow kIntegers[] = {
    {DataType::kInt8, -128, 127},
    {DataType::kUint8, 0, 255},
    {DataType::kInt16, -32768, 32767},
    {DataType::kUint16, 0, 65535},
};

const IntegerRow* FindRow(DataType type) {
  const auto* row = std::ranges::find(kIntegers, type, &IntegerRow::type);
  return row == std::end(kIntegers) ? nullptr : row;
}

// A scale or zero point, one number or one a slice along `axis`, spread over x. Nothing for one a
// block.
std::optional<ValueId> Spread(Expansion& e, ValueId id, ValueId x) {
  if (!e.IsKnown(id) || !e.IsKnown(x)) return std::nullopt;
  const Shape &of = e.ShapeOf(id), &shape = e.ShapeOf(x);
  const auto rank = static_cast<int64_t>(shape.size());
  if (of.empty()) return id;
  if (of.size() != 1 || e.node.Int("block_size", 0) != 0) return std::nullopt;
  if (of[0] == 1) return e.Reshape(id, {});
  int64_t axis = e.node.Int("axis", 1);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank || shape[static_cast<size_t>(axis)] != of[0]) return std::nullopt;
  Shape wide(shape.size(), 1);
  wide[static_cast<size_t>(axis)] = of[0];
  return e.Reshape(id, wide);
}

// round(x) + zero, cut to the integer type.
ValueId Quantized(Expansion& e, ValueId steps, ValueId zero, const IntegerRow& row) {
  const ValueId rounded = e.Op("Round", {steps});
  const ValueId moved = zero == kNoValue ? rounded : e.Op("Add", {rounded, zero});
  return e.Op("Clip", {moved, e.Number(row.lowest, DataType::kFp32),
                       e.Number(row.highest, DataType::kFp32)});
}

bool QuantizeLinear(Expansion& e) {
  const ValueId x = e.In(0);
  DataType type = DataType::kUint8;
  if (const int64_t wanted = e.node.Int("output_dtype", 0); wanted != 0) {
    type = FromOnnxType(wanted);
  }
  if (e.Has(2)) type = e.TypeOf(e.In(2));
  const IntegerRow* row = FindRow(type);
  const DataType precise = e.TypeOf(e.In(1));
  if (row == nullptr || !IsFloating(precise) || e.node.Int("precision", 0) != 0) return false;
  const auto scale = Spread(e, e.In(1), x);
  std::optional<ValueId> zero = kNoValue;
  if (e.Has(2)) zero = Spread(e, e.In(2), x);
  if (!scale || !zero) return false;
  if (*zero != kNoValue) zero = e.Cast(*zero, DataType::kFp32);
  const ValueId steps = e.Cast(e.Op("Div", {e.Cast(x, precise), *scale}), DataType::kFp32);
  if (!e.ok()) return false;
  e.Make(0, "Cast", {Quantized(e, steps, *zero, *row)}, {{"to", ToOnnxType(type)}});
  return true;
}

bool DequantizeLinear(Expansion& e) {
  ValueId x = e.In(0);
  const bool narrow = FindRow(e.TypeOf(x)) != nullptr;
  if (!narrow && e.TypeOf(x) != DataType::kInt32) return false;
  const auto scale = Spread(e, e.In(1), x);
  if (!scale || !IsFloating(e.TypeOf(*scale))) return false;
  if (e.Has(2)) {
    const auto zero = Spread(e, e.In(2), x);
    if (!zero) return false;
    x = e.Op("Sub", {e.Cast(x, DataType::kInt32), e.Cast(*zero, DataType::kInt32)});
  }
  DataType type = FromOnnxType(e.node.Int("output_dtype", 0));
  if (!IsFloating(type)) type = e.TypeOf(*scale);
  const ValueId y = e.Op("Mul", {e.Cast(x, DataType::kFp32), e.Cast(*scale, DataType::kFp32)});
  if (!e.ok()) return false;
  e.Make(0, "Cast", {y}, {{"to", ToOnnxType(type)}});
  return true;
}

// x → y (uint8), scale, zero point, from the range of x and 0.
bool DynamicQuantizeLinear(Expansion& e) {
  const ValueId x = e.In(0);
  if (e.TypeOf(x) != DataType::kFp32 || !e.IsKnown(x)) return false;
  const DataType type = DataType::kFp32;
  const ValueId nothing = e.Number(0, type), steps = e.Number(255, type);
  const auto extreme = [&](const char* reduce, const char* fold) {
    return e.Op(fold, {e.Op(reduce, {x}, {{"keepdims", int64_t{0}}}), nothing});
  };
  const ValueId lowest = extreme("ReduceMin", "Min"), highest = extreme("ReduceMax", "Max");
  const ValueId scale = e.Op("Div", {e.Op("Sub", {highest, lowest}), steps});
  // Of zeros only, the scale is 0: nothing is divided by it.
  const ValueId divisor =
      e.Op("Where", {e.Op("Equal", {scale, nothing}), e.Number(1, type), scale});
  const ValueId zero = e.Op(
      "Clip", {e.Op("Round", {e.Op("Div", {e.Op("Neg", {lowest}), divisor})}), nothing, steps});
  const ValueId quantized =
      Quantized(e, e.Op("Div", {x, divisor}), zero, *FindRow(DataType::kUint8));
  if (!e.ok()) return false;
  const Expansion::Attributes to = {{"to", ToOnnxType(DataType::kUint8)}};
  e.Make(0, "Cast", {quantized}, to);
  e.Make(1, "Identity", {scale});
  e.Make(2, "Cast", {zero}, to);
  return true;
}

constexpr DecompositionRow kRows[] = {
    {"DequantizeLinear", DequantizeLinear},
    {"DynamicQuantizeLinear", DynamicQuantizeLinear},
    {"QuantizeLinear", QuantizeLinear},
};

}  // namespace

absl::Span<const DecompositionRow> QuantizeDecompositions() { return kRows; }

}  // namespace nereid::engine
