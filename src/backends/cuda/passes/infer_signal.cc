// Transforms of signals, sampling grids and losses.

#include <array>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/passes/infer_rules.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

// The one number of a constant; absent when it is not one. Inputs left out are `fallback`.
std::optional<int64_t> Number(const InferContext& context, size_t i, int64_t fallback) {
  if (!context.Has(i)) return fallback;
  const auto numbers = context.Ints(i);
  if (!numbers.has_value() || numbers->size() != 1) return std::nullopt;
  return (*numbers)[0];
}

// (x […, 1 or 2], length?, axis?): a one-sided transform keeps half of the spectrum, its inverse
// makes real numbers.
absl::Status Dft(InferContext& context) {
  const Shape* x = context.In(0);
  if (x == nullptr || x->empty()) {
    context.Set(0, context.Type(0), std::nullopt);
    return absl::OkStatus();
  }
  const bool inverse = context.node.Int("inverse", 0) != 0;
  const bool onesided = context.node.Int("onesided", 0) != 0;
  Shape out = *x;
  const auto axis = Number(context, 2, context.node.Int("axis", -2));
  if (axis.has_value()) {
    NEREID_ASSIGN_OR_RETURN(const size_t at, NormalizeAxis(*axis, x->size()));
    const int64_t in = (*x)[at];
    const int64_t natural = in < 0 ? -1 : inverse && onesided ? 2 * (in - 1) : in;
    const int64_t length = Number(context, 1, natural).value_or(-1);
    out[at] = length >= 0 && onesided && !inverse ? length / 2 + 1 : length;
  } else {
    out = Shape(x->size(), -1);
  }
  out.back() = onesided && inverse ? 1 : 2;
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

// (signal [batch, length, ...], step, window?, frame length?) → [batch, frames, bins, 2]
absl::Status Stft(InferContext& context) {
  const Shape* x = context.In(0);
  Shape out = {x == nullptr || x->empty() ? -1 : (*x)[0], -1, -1, 2};
  const Shape* window = context.In(2);
  const int64_t natural = window != nullptr && window->size() == 1 ? (*window)[0] : -1;
  const int64_t step = Number(context, 1, -1).value_or(-1);
  const int64_t length = Number(context, 3, natural).value_or(-1);
  if (length >= 0) out[2] = context.node.Int("onesided", 1) != 0 ? length / 2 + 1 : length;
  if (x != nullptr && x->size() >= 2 && (*x)[1] >= length && length >= 0 && step > 0) {
    out[1] = ((*x)[1] - length) / step + 1;
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

// (bins, length, ...) → [length / 2 + 1, bins]
absl::Status MelWeightMatrix(InferContext& context) {
  const int64_t bins = Number(context, 0, -1).value_or(-1);
  const int64_t length = Number(context, 1, -1).value_or(-1);
  context.Set(0, FromOnnxType(context.node.Int("output_datatype", 1)),
              Shape{length < 0 ? -1 : length / 2 + 1, bins});
  return absl::OkStatus();
}

// (theta [N, axes, axes + 1], extents [N, C, ...]) → [N, ..., axes]
absl::Status AffineGrid(InferContext& context) {
  const Shape* theta = context.In(0);
  const auto size = context.Ints(1);
  std::optional<Shape> out;
  if (size.has_value()) {
    if (size->size() < 3) return context.Error("size has ", size->size(), " extents");
    out = Shape{(*size)[0]};
    out->insert(out->end(), size->begin() + 2, size->end());
    out->push_back(static_cast<int64_t>(size->size()) - 2);
  } else if (theta != nullptr && theta->size() == 3 && (*theta)[1] >= 0 && (*theta)[1] <= 3) {
    out = Shape(static_cast<size_t>((*theta)[1]) + 2, -1);
    out->front() = (*theta)[0];
    out->back() = (*theta)[1];
  }
  context.Set(0, context.Type(0), std::move(out));
  return absl::OkStatus();
}

// (scores [N, C, ...], targets [N, ...], weights?) → loss, log of the softmax?
absl::Status Loss(InferContext& context) {
  if (context.node.String("reduction", "mean") == "none") {
    context.SetLike(0, 1, context.Type(0));
  } else {
    context.Set(0, context.Type(0), ScalarShape());
  }
  context.SetLike(1, 0);
  return absl::OkStatus();
}

constexpr std::array kRows = std::to_array<InferRow>({
    {"AffineGrid", AffineGrid, 2},
    {"DFT", Dft, 1},
    {"MelWeightMatrix", MelWeightMatrix, 5},
    {"NegativeLogLikelihoodLoss", Loss, 2},
    {"STFT", Stft, 2},
    {"SoftmaxCrossEntropyLoss", Loss, 2},
});

}  // namespace

absl::Span<const InferRow> SignalShapes() { return kRows; }

}  // namespace nereid::engine
