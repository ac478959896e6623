#pragma once

#include <array>

#include "absl/status/statusor.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// An image [n, channels, (h,) w]: rank 3 has height 1.
struct ImageExtents {
  int64_t n = 1, channels = 1, h = 1, w = 1;
};
// UNIMPLEMENTED for other ranks than 3 and 4.
absl::StatusOr<ImageExtents> ImageOf(const Shape& shape);

// The sliding window of a convolution or pool over an image, attributes resolved to two axes.
struct ImageWindow {
  std::array<int64_t, 2> extent = {1, 1};
  std::array<int64_t, 2> stride = {1, 1};
  std::array<int64_t, 2> dilation = {1, 1};
  std::array<int64_t, 2> pad_begin = {0, 0};
  std::array<int64_t, 2> pad_end = {0, 0};
};
// `extent` has one element an axis of the image. UNIMPLEMENTED when padding is not explicit.
absl::StatusOr<ImageWindow> WindowOf(const Node& node, absl::Span<const int64_t> extent);

}  // namespace nereid::engine
