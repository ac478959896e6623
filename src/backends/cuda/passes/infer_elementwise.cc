// Operators whose outputs have the extents of their inputs, broadcast where there are several.

#include <array>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/passes/infer_rules.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

absl::Status SameAsBool(InferContext& context) {
  context.SetLike(0, 0, DataType::kBool);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Shape>> BroadcastInputs(const InferContext& context) {
  std::optional<Shape> out;
  for (size_t i = 0; i < context.node.inputs.size(); ++i) {
    if (!context.Has(i)) continue;
    const Shape* shape = context.In(i);
    if (shape == nullptr) return std::optional<Shape>();
    NEREID_ASSIGN_OR_RETURN(out, Broadcast(out.value_or(Shape()), *shape));
  }
  return out;
}

absl::Status Arithmetic(InferContext& context) {
  NEREID_ASSIGN_OR_RETURN(auto shape, BroadcastInputs(context));
  context.Set(0, context.Type(0), std::move(shape));
  return absl::OkStatus();
}

absl::Status Comparison(InferContext& context) {
  NEREID_ASSIGN_OR_RETURN(auto shape, BroadcastInputs(context));
  context.Set(0, DataType::kBool, std::move(shape));
  return absl::OkStatus();
}

absl::Status Where(InferContext& context) {
  NEREID_ASSIGN_OR_RETURN(auto shape, BroadcastInputs(context));
  context.Set(0, context.Type(1), std::move(shape));
  return absl::OkStatus();
}

absl::Status Cast(InferContext& context) {
  const int64_t to = context.node.Int("to", 0);
  const DataType type = FromOnnxType(to);
  if (type == DataType::kInvalid) {
    return absl::UnimplementedError(StrCat("type ", OnnxTypeName(to), " is not supported"));
  }
  context.SetLike(0, 0, type);
  return absl::OkStatus();
}

absl::Status StringConcat(InferContext& context) {
  NEREID_ASSIGN_OR_RETURN(auto shape, BroadcastInputs(context));
  context.Set(0, DataType::kBytes, std::move(shape));
  return absl::OkStatus();
}

absl::Status CastLike(InferContext& context) {
  context.SetLike(0, 0, context.Type(1));
  return absl::OkStatus();
}

// (x, scale, bias?) → (y, mean, inverse deviation), the latter with extent 1 from `axis` on.
absl::Status LayerNormalization(InferContext& context) {
  context.SetLike(0, 0);
  std::optional<Shape> statistics;
  if (const Shape* x = context.In(0); x != nullptr) {
    NEREID_ASSIGN_OR_RETURN(const size_t axis,
                            NormalizeAxis(context.node.Int("axis", -1), x->size()));
    statistics = *x;
    for (size_t i = axis; i < statistics->size(); ++i) (*statistics)[i] = 1;
  }
  context.Set(1, DataType::kFp32, statistics);
  context.Set(2, DataType::kFp32, statistics);
  return absl::OkStatus();
}

absl::Status Dequantize(InferContext& context) {
  context.SetLike(0, 0, context.Type(1));
  return absl::OkStatus();
}

absl::Status Quantize(InferContext& context) {
  const DataType asked = FromOnnxType(context.node.Int("output_dtype", 0));
  const DataType type = context.Has(2)                ? context.Type(2)
                        : asked != DataType::kInvalid ? asked
                                                      : DataType::kUint8;
  context.SetLike(0, 0, type);
  return absl::OkStatus();
}

absl::Status DynamicQuantize(InferContext& context) {
  context.SetLike(0, 0, DataType::kUint8);
  context.Set(1, DataType::kFp32, ScalarShape());
  context.Set(2, DataType::kUint8, ScalarShape());
  return absl::OkStatus();
}

constexpr std::array kRows = std::to_array<InferRow>({
    {"Abs", LikeFirst, 1},
    {"Acos", LikeFirst, 1},
    {"Acosh", LikeFirst, 1},
    {"Add", Arithmetic, 2},
    {"And", Comparison, 2},
    {"Asin", LikeFirst, 1},
    {"Asinh", LikeFirst, 1},
    {"Atan", LikeFirst, 1},
    {"Atanh", LikeFirst, 1},
    {"BitCast", Cast, 1},
    {"BitShift", Arithmetic, 2},
    {"BitwiseAnd", Arithmetic, 2},
    {"BitwiseNot", LikeFirst, 1},
    {"BitwiseOr", Arithmetic, 2},
    {"BitwiseXor", Arithmetic, 2},
    {"Cast", Cast, 1},
    {"CastLike", CastLike, 2},
    {"Ceil", LikeFirst, 1},
    {"Celu", LikeFirst, 1},
    {"Cos", LikeFirst, 1},
    {"Cosh", LikeFirst, 1},
    {"DequantizeLinear", Dequantize, 2},
    {"Div", Arithmetic, 2},
    {"DynamicQuantizeLinear", DynamicQuantize, 1},
    {"Elu", LikeFirst, 1},
    {"Equal", Comparison, 2},
    {"Erf", LikeFirst, 1},
    {"Exp", LikeFirst, 1},
    {"Floor", LikeFirst, 1},
    {"Gelu", LikeFirst, 1},
    {"Greater", Comparison, 2},
    {"GreaterOrEqual", Comparison, 2},
    {"HardSigmoid", LikeFirst, 1},
    {"HardSwish", LikeFirst, 1},
    {"Identity", LikeFirst, 1},
    {"IsInf", SameAsBool, 1},
    {"IsNaN", SameAsBool, 1},
    {"LRN", LikeFirst, 1},
    {"LayerNormalization", LayerNormalization, 2},
    {"LeakyRelu", LikeFirst, 1},
    {"Less", Comparison, 2},
    {"LessOrEqual", Comparison, 2},
    {"Log", LikeFirst, 1},
    {"Max", Arithmetic, 1},
    {"Mean", Arithmetic, 1},
    {"MeanVarianceNormalization", LikeFirst, 1},
    {"Min", Arithmetic, 1},
    {"Mish", LikeFirst, 1},
    {"Mod", Arithmetic, 2},
    {"Mul", Arithmetic, 2},
    {"Neg", LikeFirst, 1},
    {"Not", LikeFirst, 1},
    {"Or", Comparison, 2},
    {"Pow", Arithmetic, 2},
    {"QuantizeLinear", Quantize, 2},
    {"Reciprocal", LikeFirst, 1},
    {"Relu", LikeFirst, 1},
    {"ReverseSequence", LikeFirst, 2},
    {"RotaryEmbedding", LikeFirst, 3},
    {"Round", LikeFirst, 1},
    {"Selu", LikeFirst, 1},
    {"Shrink", LikeFirst, 1},
    {"Sigmoid", LikeFirst, 1},
    {"Sign", LikeFirst, 1},
    {"Sin", LikeFirst, 1},
    {"Sinh", LikeFirst, 1},
    {"Softplus", LikeFirst, 1},
    {"Softsign", LikeFirst, 1},
    {"Sqrt", LikeFirst, 1},
    {"StringConcat", StringConcat, 2},
    {"Sub", Arithmetic, 2},
    {"Sum", Arithmetic, 1},
    {"Swish", LikeFirst, 1},
    {"Tan", LikeFirst, 1},
    {"Tanh", LikeFirst, 1},
    {"TensorScatter", LikeFirst, 2},
    {"ThresholdedRelu", LikeFirst, 1},
    {"Where", Where, 3},
    {"Xor", Comparison, 2},
});

}  // namespace

absl::Span<const InferRow> ElementwiseShapes() { return kRows; }

}  // namespace nereid::engine
