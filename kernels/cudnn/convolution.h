#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "backends/cuda/device/device_op.h"
#include "kernels/jit/toolbox.h"
#include "nereid/data_type.h"

namespace nereid::engine {

// How the elements of an image tensor lie: channels before or after the pixels. Filters follow:
// kNchw has them as [K,C/groups,R,S], kNhwc as [K,R,S,C/groups].
enum class ImageLayout { kNchw, kNhwc };

// Two-dimensional convolution, y = relu(conv(x, w) + residual + bias), by cuDNN. A one-dimensional
// one has height 1. Inputs: x, w, bias (k elements) or 0, residual (as y) or 0. Output: y. All of
// one type.
struct ConvolutionSpec {
  DataType type = DataType::kFp16;  // kFp32, kFp16, kBf16
  bool tf32 = false;                // kFp32 only: multiply on tensor cores
  ImageLayout layout = ImageLayout::kNhwc;
  int64_t n = 0, c = 0, h = 0, w = 0;  // of x
  int64_t k = 0, r = 1, s = 1;         // output channels, filter extents
  std::array<int64_t, 2> stride = {1, 1};
  std::array<int64_t, 2> dilation = {1, 1};
  std::array<int64_t, 2> pad_begin = {0, 0};
  std::array<int64_t, 2> pad_end = {0, 0};
  int64_t groups = 1;
  bool has_bias = false;
  bool has_residual = false;
  bool relu = false;
  // ConvTranspose: x is what a convolution with these parameters would have made; filters are
  // [c,k/groups,r,s] (kNhwc: [c,r,s,k/groups]); bias, residual and ReLU are not fused and must be
  // off.
  bool transposed = false;
  std::array<int64_t, 2> output_pad = {0, 0};  // transposed only
  // The filter lies there before the program runs: it may be read while the kernel in front is at
  // work.
  bool constant_filter = false;

  int64_t out_h() const { return OutExtent(0, h, r); }
  int64_t out_w() const { return OutExtent(1, w, s); }

 private:
  int64_t OutExtent(size_t i, int64_t in, int64_t filter) const {
    const int64_t span = dilation[i] * (filter - 1) + 1;
    if (transposed) {
      return (in - 1) * stride[i] + span - pad_begin[i] - pad_end[i] + output_pad[i];
    }
    return (in + pad_begin[i] + pad_end[i] - span) / stride[i] + 1;
  }
};

// Everything the choice of an implementation depends on, in words.
std::string SpecificationOf(const ConvolutionSpec& spec, const Toolbox::Options& options);

// UNIMPLEMENTED when the library has no precompiled implementation for the specification (a
// transposed one with unequal padding, for instance).
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeConvolution(Toolbox& toolbox,
                                                          const ConvolutionSpec& spec);

}  // namespace nereid::engine
