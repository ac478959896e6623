#pragma once

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {

// How the window of a convolution or pooling moves over an image of one to three spatial axes. They
// stand at the end of the arrays; the axes before them have extent 1 and do nothing.
struct Window {
  static constexpr size_t kAxes = 3;
  using Axes = std::array<int64_t, kAxes>;

  size_t rank = 0;  // spatial axes of the tensors
  Axes input = {1, 1, 1};
  Axes output = {1, 1, 1};
  Axes kernel = {1, 1, 1};
  Axes stride = {1, 1, 1};
  Axes dilation = {1, 1, 1};
  Axes pad_begin = {0, 0, 0};
  Axes pad_end = {0, 0, 0};

  int64_t input_size() const { return input[0] * input[1] * input[2]; }
  int64_t output_size() const { return output[0] * output[1] * output[2]; }
  int64_t kernel_size() const { return kernel[0] * kernel[1] * kernel[2]; }
  // [batch, channels] and the spatial extents of the output.
  Shape OutputShape(int64_t batch, int64_t channels) const;
  // Position in the input that tap `k` of the window at output position `o` sees; it may lie
  // outside.
  int64_t InputAt(size_t axis, int64_t o, int64_t k) const {
    return o * stride[axis] - pad_begin[axis] + k * dilation[axis];
  }
  bool Sees(size_t axis, int64_t at) const { return at >= 0 && at < input[axis]; }
  // Taps [first, last) that see positions [low, high) from output position `o`.
  struct Taps {
    int64_t first;
    int64_t last;
  };
  Taps TapsWithin(size_t axis, int64_t o, int64_t low, int64_t high) const;
};

// From the attributes strides, dilations, pads, auto_pad and ceil_mode of a node on an input whose
// spatial extents are `image`. Refuses windows that make no sense.
absl::StatusOr<Window> MakeWindow(const Node& node, absl::Span<const int64_t> image,
                                  absl::Span<const int64_t> kernel);

// The same seen backwards, as ConvTranspose does, with output_padding and output_shape too: `input`
// is then the image that is spread out, `output` where it goes; output position = input position ·
// stride - pad + tap · dilation.
absl::StatusOr<Window> MakeTransposedWindow(const Node& node, absl::Span<const int64_t> image,
                                            absl::Span<const int64_t> kernel);

}  // namespace nereid::engine
