#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "backends/cuda/device/device_op.h"
#include "kernels/jit/toolbox.h"
#include "nereid/data_type.h"
#include "nereid/shape.h"

namespace nereid::engine {

enum class DepthwiseActivation {
  kNone,
  kRelu,
  kClip,
  kSwish,
  kHardSwish,
  kSigmoid,
  kHardSigmoid,
  kLeakyRelu
};

// Convolution with one filter a channel: y = activation(conv(input(x), w) + bias), where input(x) =
// input_scale · input_activation(x) + input_shift, and the padding is 0 after that. Filters are
// [channels,1,r,s] in NCHW and [r,s,channels] with `channels_last`. Inputs: x, w, bias (channels)
// or 0. Output: y. All of one type (kFp32, kFp16, kBf16).
struct DepthwiseSpec {
  DataType type = DataType::kFp16;
  bool channels_last = true;
  int64_t n = 1, channels = 1, h = 1, w = 1, r = 1, s = 1;
  std::array<int64_t, 2> stride = {1, 1};
  std::array<int64_t, 2> dilation = {1, 1};
  std::array<int64_t, 2> pad_begin = {0, 0};
  std::array<int64_t, 2> pad_end = {0, 0};
  bool has_bias = false;
  DepthwiseActivation activation = DepthwiseActivation::kNone;
  // kClip: low, high. kHardSigmoid: alpha, beta. kLeakyRelu: alpha.
  float alpha = 0, beta = 0;
  DepthwiseActivation input_activation = DepthwiseActivation::kNone;
  float input_alpha = 0, input_beta = 0;
  float input_scale = 1, input_shift = 0;

  int64_t out_h() const {
    return (h + pad_begin[0] + pad_end[0] - dilation[0] * (r - 1) - 1) / stride[0] + 1;
  }
  int64_t out_w() const {
    return (w + pad_begin[1] + pad_end[1] - dilation[1] * (s - 1) - 1) / stride[1] + 1;
  }
};

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeDepthwise(Toolbox& toolbox,
                                                        const DepthwiseSpec& spec);

}  // namespace nereid::engine
