#include "backends/cuda/lower/image_window.h"

#include "absl/status/status.h"

namespace nereid::engine {
namespace {

// One or two numbers, the last belonging to the width.
std::array<int64_t, 2> Pair(absl::Span<const int64_t> given, int64_t fallback,
                            int64_t first_axis_fallback) {
  std::array<int64_t, 2> pair = {first_axis_fallback, fallback};
  for (size_t i = 0; i < given.size() && i < 2; ++i) pair[2 - given.size() + i] = given[i];
  return pair;
}

}  // namespace

absl::StatusOr<ImageExtents> ImageOf(const Shape& shape) {
  if (shape.size() == 3) return ImageExtents{shape[0], shape[1], 1, shape[2]};
  if (shape.size() == 4) return ImageExtents{shape[0], shape[1], shape[2], shape[3]};
  return absl::UnimplementedError("images have one or two axes");
}

absl::StatusOr<ImageWindow> WindowOf(const Node& node, absl::Span<const int64_t> extent) {
  const std::string auto_pad = node.String("auto_pad", "NOTSET");
  if (!auto_pad.empty() && auto_pad != "NOTSET" && auto_pad != "VALID") {
    return absl::UnimplementedError("padding that is not explicit");
  }
  if (extent.size() > 2) return absl::UnimplementedError("windows have one or two axes");
  ImageWindow window;
  window.extent = Pair(extent, 1, 1);
  window.stride = Pair(node.Ints("strides"), 1, 1);
  window.dilation = Pair(node.Ints("dilations"), 1, 1);
  const std::vector<int64_t> pads = node.Ints("pads");
  if (pads.size() == extent.size() * 2 && auto_pad != "VALID") {
    const auto span = absl::MakeConstSpan(pads);
    window.pad_begin = Pair(span.subspan(0, extent.size()), 0, 0);
    window.pad_end = Pair(span.subspan(extent.size()), 0, 0);
  }
  return window;
}

}  // namespace nereid::engine
