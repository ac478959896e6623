#include <algorithm>
#include <cmath>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/reference/conv.h"
#include "backends/cuda/reference/matmul.h"
#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// How the elements of a scale belong to those of a tensor: one for all, one an index of an axis, or
// one a block along it.
absl::StatusOr<std::vector<size_t>> ScaleIndices(const Shape& x, const Shape& scale, int64_t axis,
                                                 int64_t block) {
  std::vector<size_t> indices(static_cast<size_t>(Product(x)), 0);
  if (Product(scale) == 1 && scale.size() <= 1) return indices;
  NEREID_ASSIGN_OR_RETURN(const size_t at, AxisOf(axis, x.size()));
  Strides strides(x.size(), 0);
  if (scale.size() == 1 && block == 0) {
    if (scale[0] != x[at]) return Refuse("the scale has ", scale[0], " elements");
    strides[at] = 1;
    block = 1;
  } else {
    if (scale.size() != x.size() || block < 1) return Refuse("the scale does not fit");
    for (size_t d = 0; d < x.size(); ++d) {
      const int64_t expected = d == at ? x[d] / block + (x[d] % block != 0 ? 1 : 0) : x[d];
      if (scale[d] != expected) return Refuse("the scale is ", ShapeToString(scale));
    }
    strides = ContiguousStrides(scale);
  }
  ForEachIndex(x, [&](int64_t i, const Strides& index) {
    int64_t from = 0;
    for (size_t d = 0; d < x.size(); ++d) {
      from += (d == at ? index[d] / block : index[d]) * strides[d];
    }
    indices[static_cast<size_t>(i)] = static_cast<size_t>(from);
  });
  return indices;
}

// Zero points parallel to a scale: input i, or zeros.
absl::StatusOr<std::vector<double>> ZeroPoints(const Call& call, size_t i, const Shape& scale) {
  if (!call.Has(i)) return std::vector<double>(static_cast<size_t>(Product(scale)), 0.0);
  if (call.In(i).element_count() != Product(scale)) return Refuse("scale and zero point differ");
  return Read<double>(call.In(i));
}

double Saturate(double x, const IntegerRange& range) {
  return std::isnan(x) ? 0 : std::clamp(x, range.lowest, range.highest);
}

Results QuantizeLinear(const Call& call) {
  const HostTensor& x = call.In(0);
  const HostTensor& scale = call.In(1);
  DataType type = DataType::kUint8;
  const int64_t wanted = call.node.Int("output_dtype", 0);
  if (wanted != 0) type = FromOnnxType(wanted);
  if (call.Has(2)) type = call.In(2).type();
  if (!IsInteger(type)) return Refuse("it does not quantise to ", OnnxTypeName(wanted));
  NEREID_ASSIGN_OR_RETURN(const auto at,
                          ScaleIndices(x.shape(), scale.shape(), call.node.Int("axis", 1),
                                       call.node.Int("block_size", 0)));
  NEREID_ASSIGN_OR_RETURN(const auto zero, ZeroPoints(call, 2, scale.shape()));
  DataType precision = FromOnnxType(call.node.Int("precision", 0));
  if (!IsFloating(precision)) precision = IsFloating(scale.type()) ? scale.type() : x.type();
  const std::vector<double> scales = Read<double>(scale);
  std::vector<double> values = Read<double>(x);
  for (size_t i = 0; i < values.size(); ++i) values[i] /= scales[at[i]];
  // Ties are those of the division's own precision.
  RoundTo(precision, values);
  const IntegerRange range = RangeOf(type);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = Saturate(std::nearbyint(values[i]) + zero[at[i]], range);
  }
  return One(Write(type, x.shape(), values));
}

Results DequantizeLinear(const Call& call) {
  const HostTensor& x = call.In(0);
  const HostTensor& scale = call.In(1);
  NEREID_ASSIGN_OR_RETURN(const auto at,
                          ScaleIndices(x.shape(), scale.shape(), call.node.Int("axis", 1),
                                       call.node.Int("block_size", 0)));
  NEREID_ASSIGN_OR_RETURN(const auto zero, ZeroPoints(call, 2, scale.shape()));
  DataType type = FromOnnxType(call.node.Int("output_dtype", 0));
  if (!IsFloating(type)) type = scale.type();
  const std::vector<double> scales = Read<double>(scale);
  std::vector<double> values = Read<double>(x);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = (values[i] - zero[at[i]]) * scales[at[i]];
  }
  return One(Write(type, x.shape(), values));
}

// x → y (uint8), scale, zero point, from the range of x and 0.
Results DynamicQuantizeLinear(const Call& call) {
  const HostTensor& x = call.In(0);
  std::vector<double> values = Read<double>(x);
  double lowest = 0;
  double highest = 0;
  for (const double value : values) {
    lowest = std::fmin(lowest, value);
    highest = std::fmax(highest, value);
  }
  const float scale = static_cast<float>(highest - lowest) / 255.0f;
  const double zero = scale == 0 ? 0 : std::clamp(std::nearbyint(-lowest / scale), 0.0, 255.0);
  for (double& value : values) {
    const double steps = scale == 0 ? 0 : static_cast<double>(static_cast<float>(value / scale));
    value = std::clamp(std::nearbyint(steps) + zero, 0.0, 255.0);
  }
  return Several(Write(DataType::kUint8, x.shape(), values),
                 HostTensor::Of<float>(DataType::kFp32, {}, {scale}),
                 Write(DataType::kUint8, {}, std::vector<double>{zero}));
}

// Input i as exact numbers, its zero point (input `zero`) taken off. The zero point of a matrix may
// be one a row or column: `axis` is then the axis it belongs to.
absl::StatusOr<Numbers<double>> Centered(const Call& call, size_t i, size_t zero, int64_t axis) {
  Numbers<double> numbers{Read<double>(call.In(i)), call.ShapeOf(i)};
  if (!call.Has(zero)) return numbers;
  const std::vector<double> zeros = Read<double>(call.In(zero));
  if (zeros.size() == 1) {
    for (double& value : numbers.values) value -= zeros[0];
    return numbers;
  }
  Shape shape = call.ShapeOf(zero);
  if (shape.size() == 1) {
    NEREID_ASSIGN_OR_RETURN(const size_t at, AxisOf(axis, numbers.shape.size()));
    shape.assign(numbers.shape.size(), 1);
    shape[at] = static_cast<int64_t>(zeros.size());
  }
  NEREID_RETURN_IF_ERROR(CheckBroadcastsTo(shape, numbers.shape));
  ForEachOffset<1>(numbers.shape, {BroadcastStrides(shape, numbers.shape)},
                   [&](int64_t k, const auto& at) {
                     numbers.values[static_cast<size_t>(k)] -= zeros[static_cast<size_t>(at[0])];
                   });
  return numbers;
}

Results MatMulInteger(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const auto a, Centered(call, 0, 2, -2));
  NEREID_ASSIGN_OR_RETURN(const auto b, Centered(call, 1, 3, -1));
  NEREID_ASSIGN_OR_RETURN(const auto y, MultiplyMatrices(a, b));
  return One(Write(DataType::kInt32, y.shape, y.values));
}

Results ConvInteger(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const auto x, Centered(call, 0, 2, 0));
  NEREID_ASSIGN_OR_RETURN(const auto w, Centered(call, 1, 3, 0));
  NEREID_ASSIGN_OR_RETURN(const auto y, Convolve(call.node, x, w));
  return One(Write(DataType::kInt32, y.shape, y.values));
}

// The scale of input i repeated along `axis` of `shape`.
absl::StatusOr<std::vector<double>> Scales(const Call& call, size_t i, const Shape& shape,
                                           int64_t axis) {
  const std::vector<double> values = Read<double>(call.In(i));
  std::vector<double> repeated(static_cast<size_t>(Product(shape)));
  if (values.size() == 1) {
    std::fill(repeated.begin(), repeated.end(), values[0]);
    return repeated;
  }
  Shape from = call.ShapeOf(i);
  if (from.size() == 1) {
    NEREID_ASSIGN_OR_RETURN(const size_t at, AxisOf(axis, shape.size()));
    from.assign(shape.size(), 1);
    from[at] = static_cast<int64_t>(values.size());
  }
  NEREID_RETURN_IF_ERROR(CheckBroadcastsTo(from, shape));
  ForEachOffset<1>(shape, {BroadcastStrides(from, shape)}, [&](int64_t k, const auto& at) {
    repeated[static_cast<size_t>(k)] = values[static_cast<size_t>(at[0])];
  });
  return repeated;
}

// Exact sums scaled by a · b / y and quantised; inputs 6 and 7 are y's scale and zero point.
Results Requantize(const Call& call, Numbers<double> y, int64_t a_axis, int64_t b_axis) {
  NEREID_ASSIGN_OR_RETURN(const auto a, Scales(call, 1, y.shape, a_axis));
  NEREID_ASSIGN_OR_RETURN(const auto b, Scales(call, 4, y.shape, b_axis));
  NEREID_ASSIGN_OR_RETURN(const auto scale, Scales(call, 6, y.shape, a_axis));
  NEREID_ASSIGN_OR_RETURN(const auto zero, Scales(call, 7, y.shape, a_axis));
  const DataType type = call.In(7).type();
  if (!IsInteger(type)) return Refuse("the zero point is not an integer");
  const IntegerRange range = RangeOf(type);
  for (size_t i = 0; i < y.values.size(); ++i) {
    const double scaled = y.values[i] * a[i] * b[i] / scale[i];
    y.values[i] = Saturate(std::nearbyint(scaled) + zero[i], range);
  }
  return One(Write(type, y.shape, y.values));
}

Results QLinearMatMul(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const auto a, Centered(call, 0, 2, -2));
  NEREID_ASSIGN_OR_RETURN(const auto b, Centered(call, 3, 5, -1));
  NEREID_ASSIGN_OR_RETURN(auto y, MultiplyMatrices(a, b));
  return Requantize(call, std::move(y), -2, -1);
}

Results QLinearConv(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const auto x, Centered(call, 0, 2, 0));
  NEREID_ASSIGN_OR_RETURN(const auto w, Centered(call, 3, 5, 0));
  NEREID_ASSIGN_OR_RETURN(auto y, Convolve(call.node, x, w));
  if (call.Has(8)) {
    const std::vector<double> bias = Read<double>(call.In(8));
    if (static_cast<int64_t>(bias.size()) != y.shape[1]) return Refuse("the bias does not fit");
    const AxisView view = ViewAlong(y.shape, 1);
    for (size_t i = 0; i < y.values.size(); ++i) {
      y.values[i] += bias[i / static_cast<size_t>(view.inner) % bias.size()];
    }
  }
  return Requantize(call, std::move(y), 1, 1);
}

constexpr OperatorRow kOperators[] = {
    {"ConvInteger", ConvInteger, 2},
    {"DequantizeLinear", DequantizeLinear, 2},
    {"DynamicQuantizeLinear", DynamicQuantizeLinear, 1, Accepts::kFloats},
    {"MatMulInteger", MatMulInteger, 2},
    {"QLinearConv", QLinearConv, 8},
    {"QLinearMatMul", QLinearMatMul, 8},
    {"QuantizeLinear", QuantizeLinear, 2},
};

}  // namespace

absl::Span<const OperatorRow> QuantizeOperators() { return kOperators; }

}  // namespace nereid::engine
