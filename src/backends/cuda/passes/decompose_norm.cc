// Normalisations as reductions and pointwise operators.

#include <algorithm>
#include <vector>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/passes/expansion.h"

namespace nereid::engine {
namespace {

// Shape [1, C, 1, …] that spreads a vector over an image of this rank.
ValueId PerChannel(Expansion& e, ValueId vector, size_t rank) {
  if (!e.ok()) return kNoValue;
  Shape shape(rank, 1);
  shape[1] = e.ShapeOf(vector)[0];
  return e.Reshape(vector, shape);
}

// (x, scale, bias, mean, variance) that are computed; constants fold into what is around them.
bool BatchNormalization(Expansion& e) {
  const ValueId x = e.In(0);
  if (!e.IsKnown(x) || e.ShapeOf(x).size() < 2) return false;
  bool computed = false;
  for (size_t i = 1; i < 5; ++i) {
    if (!e.Has(i) || !e.IsKnown(e.In(i)) || e.ShapeOf(e.In(i)).size() != 1) return false;
    computed = computed || e.Constant(e.In(i)) == nullptr;
  }
  if (!computed && e.TypeOf(x) == DataType::kFp32) return false;
  const size_t rank = e.ShapeOf(x).size();
  const DataType wide = e.TypeOf(e.In(4));
  const ValueId sum =
      e.Op("Add", {e.In(4), e.Number(double{e.node.Float("epsilon", 1e-5f)}, wide)});
  const ValueId deviation = e.Op("Sqrt", {sum});
  const ValueId scale = e.Op("Div", {e.Cast(e.In(1), wide), deviation});
  const ValueId centered = e.Op("Sub", {e.Cast(x, wide), PerChannel(e, e.In(3), rank)});
  if (!e.ok()) return false;
  const ValueId scaled = e.Op("Mul", {centered, PerChannel(e, scale, rank)});
  const ValueId y = e.Op("Add", {scaled, PerChannel(e, e.Cast(e.In(2), wide), rank)});
  e.Make(0, "Cast", {y}, {{"to", ToOnnxType(e.TypeOf(x))}});
  return true;
}

bool LpNormalization(Expansion& e) {
  const ValueId x = e.In(0);
  const int64_t axis = e.node.Int("axis", -1);
  const char* op = e.node.Int("p", 2) == 2 ? "ReduceL2" : "ReduceL1";
  const ValueId norm = e.Op(op, {x, e.Ints({axis})}, {{"keepdims", int64_t{1}}});
  if (!e.ok()) return false;
  // Nothing but zeros stays so.
  const ValueId none = e.Op("Equal", {norm, e.Number(0, e.TypeOf(x))});
  const ValueId divisor = e.Op("Where", {none, e.Number(1, e.TypeOf(x)), norm});
  e.Make(0, "Div", {x, divisor});
  return true;
}

bool MeanVarianceNormalization(Expansion& e) {
  std::vector<int64_t> axes = e.node.Ints("axes");
  if (axes.empty()) axes = {0, 2, 3};
  const ValueId x = e.In(0), over = e.Ints(axes);
  const DataType type = e.TypeOf(x);
  const auto mean = [&](ValueId of) {
    return e.Op("ReduceMean", {of, over}, {{"keepdims", int64_t{1}}});
  };
  const ValueId centered = e.Op("Sub", {x, mean(x)});
  const ValueId deviation = e.Op("Sqrt", {mean(e.Op("Mul", {centered, centered}))});
  if (!e.ok()) return false;
  e.Make(0, "Div", {centered, e.Op("Add", {deviation, e.Number(1e-9, type)})});
  return true;
}

// The mean of squares over neighbouring channels is that of a window over them as rows.
bool Lrn(Expansion& e) {
  const ValueId x = e.In(0);
  if (!e.IsKnown(x) || e.ShapeOf(x).size() < 3) return false;
  const Shape shape = e.ShapeOf(x);
  int64_t pixels = 1;
  for (size_t i = 2; i < shape.size(); ++i) pixels *= shape[i];
  const int64_t size = e.node.Int("size", 0);
  if (size < 1) return false;
  const DataType type = e.TypeOf(x);
  const ValueId squares = e.Reshape(e.Op("Mul", {x, x}), {shape[0], 1, shape[1], pixels});
  const ValueId mean = e.Op("AveragePool", {squares},
                            {{"kernel_shape", std::vector<int64_t>{size, 1}},
                             {"strides", std::vector<int64_t>{1, 1}},
                             {"pads", std::vector<int64_t>{(size - 1) / 2, 0, size / 2, 0}},
                             {"count_include_pad", int64_t{1}}});
  const ValueId scaled = e.Op("Mul", {mean, e.Number(double{e.node.Float("alpha", 1e-4f)}, type)});
  const ValueId sum = e.Op("Add", {scaled, e.Number(double{e.node.Float("bias", 1)}, type)});
  const ValueId power = e.Op("Pow", {sum, e.Number(double{e.node.Float("beta", 0.75f)}, type)});
  if (!e.ok()) return false;
  e.Make(0, "Div", {x, e.Reshape(power, shape)});
  return true;
}

constexpr DecompositionRow kRows[] = {
    {"BatchNormalization", BatchNormalization},
    {"LRN", Lrn},
    {"LpNormalization", LpNormalization},
    {"MeanVarianceNormalization", MeanVarianceNormalization},
};

}  // namespace

absl::Span<const DecompositionRow> NormDecompositions() { return kRows; }

}  // namespace nereid::engine
