// Operators that make tensors from shapes and numbers.

#include <algorithm>
#include <array>
#include <cmath>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/passes/infer_rules.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

absl::Status ShapeOf(InferContext& context) {
  std::optional<int64_t> length;
  if (const Shape* in = context.In(0); in != nullptr) {
    const auto rank = static_cast<int64_t>(in->size());
    const auto place = [rank](int64_t at) {
      return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
    };
    const int64_t start = place(context.node.Int("start", 0));
    const int64_t end = place(context.node.Int("end", rank));
    length = std::max<int64_t>(0, end - start);
  }
  context.Set(0, DataType::kInt64, Shape{length.value_or(-1)});
  return absl::OkStatus();
}

absl::Status Size(InferContext& context) {
  context.Set(0, DataType::kInt64, ScalarShape());
  return absl::OkStatus();
}

absl::Status ConstantOfShape(InferContext& context) {
  DataType type = DataType::kFp32;
  if (const auto found = context.node.attributes.find("value");
      found != context.node.attributes.end()) {
    if (const auto* value = std::get_if<HostTensor>(&found->second)) type = value->type();
  }
  std::optional<Shape> out;
  if (const auto extents = context.Ints(0); extents.has_value()) {
    for (const int64_t extent : *extents) {
      if (extent < 0) return context.Error("an extent is negative");
    }
    out = Shape(extents->begin(), extents->end());
  } else if (const Shape* list = context.In(0);
             list != nullptr && list->size() == 1 && (*list)[0] >= 0 && (*list)[0] <= 64) {
    out = Shape(static_cast<size_t>((*list)[0]), -1);
  }
  context.Set(0, type, std::move(out));
  return absl::OkStatus();
}

absl::Status Range(InferContext& context) {
  int64_t length = -1;
  const HostTensor* start = context.Constant(0);
  const HostTensor* limit = context.Constant(1);
  const HostTensor* delta = context.Constant(2);
  if (start != nullptr && limit != nullptr && delta != nullptr && start->is_scalar_like() &&
      limit->is_scalar_like() && delta->is_scalar_like()) {
    const double steps = std::ceil((limit->AsDouble(0) - start->AsDouble(0)) / delta->AsDouble(0));
    if (!(steps <= static_cast<double>(kMaxExtent))) return context.Error("it is too long");
    length = steps > 0 ? static_cast<int64_t>(steps) : 0;
  }
  context.Set(0, context.Type(0), Shape{length});
  return absl::OkStatus();
}

DataType TypeAttribute(const InferContext& context, DataType fallback) {
  const DataType asked = FromOnnxType(context.node.Int("dtype", 0));
  return asked == DataType::kInvalid ? fallback : asked;
}

absl::Status LikeWithType(InferContext& context) {
  context.SetLike(0, 0, TypeAttribute(context, context.Type(0)));
  return absl::OkStatus();
}

absl::Status Random(InferContext& context) {
  const std::vector<int64_t> extents = context.node.Ints("shape");
  context.Set(0, TypeAttribute(context, DataType::kFp32), Shape(extents.begin(), extents.end()));
  return absl::OkStatus();
}

// (logarithms [batch, classes]) → [batch, samples]
absl::Status Multinomial(InferContext& context) {
  const Shape* in = context.In(0);
  context.Set(
      0, TypeAttribute(context, DataType::kInt32),
      Shape{in == nullptr || in->empty() ? -1 : (*in)[0], context.node.Int("sample_size", 1)});
  return absl::OkStatus();
}

constexpr std::array kRows = std::to_array<InferRow>({
    {"Bernoulli", LikeWithType, 1},
    {"ConstantOfShape", ConstantOfShape, 1},
    {"EyeLike", LikeWithType, 1},
    {"Multinomial", Multinomial, 1},
    {"RandomNormal", Random, 0},
    {"RandomNormalLike", LikeWithType, 1},
    {"RandomUniform", Random, 0},
    {"RandomUniformLike", LikeWithType, 1},
    {"Range", Range, 3},
    {"Shape", ShapeOf, 1},
    {"Size", Size, 1},
});

}  // namespace

absl::Span<const InferRow> OtherShapes() { return kRows; }

}  // namespace nereid::engine
