#include <iterator>

#include "backends/cuda/lower/op_spec.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

std::string Numbers(absl::Span<const int64_t> numbers) { return ShapeToString(numbers); }

std::string Text(const ConvolutionSpec& s) {
  return StrCat(s.n, "x", s.c, "x", s.h, "x", s.w, " -> ", s.k, " ", s.r, "x", s.s, "/",
                s.stride[1], s.groups == 1 ? "" : " grouped", s.has_bias ? " +bias" : "",
                s.has_residual ? " +residual" : "", s.relu ? " relu" : "",
                s.transposed ? " transposed" : "",
                s.layout == ImageLayout::kNhwc ? " nhwc" : " nchw");
}
std::string Text(const DepthwiseSpec& s) {
  return StrCat(s.n, "x", s.channels, "x", s.h, "x", s.w, " ", s.r, "x", s.s, "/", s.stride[1]);
}
std::string Text(const GemmSpec& s) {
  return StrCat(s.batch == 1 ? "" : StrCat(s.batch, "x "), s.m, "x", s.n, "x", s.k,
                s.transpose_a ? " aT" : "", s.transpose_b ? " bT" : "", s.has_bias ? " +bias" : "",
                s.has_residual ? " +residual" : "",
                s.activation == GemmActivation::kNone   ? ""
                : s.activation == GemmActivation::kRelu ? " relu"
                                                        : " gelu");
}
std::string Text(const MatMulSpec& s) { return StrCat(Numbers(s.a), " ", Numbers(s.b)); }
std::string Text(const AttentionSpec& s) {
  return StrCat(s.batch, "x", s.heads, " ", s.queries, "x", s.keys, "x", s.head_dim,
                s.has_mask ? " +mask" : "");
}
std::string Text(const PointwiseSpec& s) {
  std::string text = Numbers(s.shape);
  for (const PointwiseStep& step : s.steps) {
    if (step.function != "Constant") StrAppend(&text, " ", step.function);
  }
  return text;
}
std::string Text(const RowNormSpec& s) {
  return StrCat(s.rows, "x", s.n, s.has_residual ? " +residual" : "");
}
std::string Text(const SoftmaxSpec& s) { return StrCat(s.outer, "x", s.n, "x", s.inner); }
std::string Text(const PoolSpec& s) {
  return StrCat(s.n, "x", s.channels, "x", s.h, "x", s.w, s.max ? " max" : " mean");
}
std::string Text(const GlobalPoolSpec& s) { return StrCat(s.n, "x", s.channels, "x", s.pixels); }
std::string Text(const LayoutSpec& s) {
  return StrCat(s.n, "x", s.channels, "x", s.pixels, s.to_channels_last ? " to nhwc" : " to nchw");
}
std::string Text(const TransposeSpec& s) {
  return StrCat(Numbers(s.shape), " by ", Numbers(s.permutation));
}
std::string Text(const StridedCopySpec& s) { return Numbers(s.shape); }
std::string Text(const ReduceSpec& s) {
  return StrCat(Numbers(s.shape), " over ", Numbers(s.axes));
}
std::string Text(const ConcatSpec& s) { return StrCat(s.shapes.size(), " along ", s.axis); }
std::string Text(const GatherSpec& s) {
  return StrCat(s.outer, "x", s.n, "x", s.inner, " of ", s.count);
}
std::string Text(const RecurrentSpec& s) {
  constexpr std::string_view kCells[] = {"LSTM", "GRU", "RNN"};
  return StrCat(kCells[static_cast<size_t>(s.cell)], " ", s.steps, "x", s.batch, "x", s.hidden,
                s.directions == 2 ? " both ways"
                : s.reverse       ? " reverse"
                                  : "");
}
std::string Text(const HostSpec& s) { return s.op; }
template <typename Other>
std::string Text(const Other&) {
  return "";
}

// In the order of the variant.
constexpr std::string_view kKinds[] = {
    "convolution", "depthwise", "gemm",    "matmul",    "attention", "pointwise",  "row norm",
    "group norm",  "softmax",   "reduce",  "argreduce", "pool",      "globalpool", "resize",
    "transpose",   "layout",    "copy",    "concat",    "tile",      "pad",        "gather",
    "gather",      "gather",    "scatter", "scatter",   "one hot",   "range",      "fill",
    "cumsum",      "topk",      "trilu",   "recurrent", "host"};
static_assert(std::size(kKinds) == std::variant_size_v<OpSpec>);

}  // namespace

std::string_view KindOf(const OpSpec& spec) { return kKinds[spec.index()]; }

std::string DescribeSpec(const OpSpec& spec) {
  return std::visit([](const auto& s) { return Text(s); }, spec);
}

}  // namespace nereid::engine
