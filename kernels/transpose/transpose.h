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

// y = x with its axes permuted: extent i of y is extent permutation[i] of x. Any type of fixed
// size; the output may be another type of the same kind (fp32 ↔ fp16 ↔ bf16), converted on the way.
struct TransposeSpec {
  DataType type = DataType::kFp32;
  DataType out_type = DataType::kInvalid;  // kInvalid: as `type`
  Shape shape;                             // of x
  std::vector<int64_t> permutation;
};

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeTranspose(Toolbox& toolbox,
                                                        const TransposeSpec& spec);

// [n, channels, pixels] → [n, pixels, channels_out] (`to_channels_last`) or the way back
// ([n, pixels, channels_out] → [n, channels, pixels]): between NCHW and NHWC. channels_out ≥
// channels; surplus channels are written as zero, or skipped. `scale` and `bias`, one element a
// channel, are applied when given: y = x · scale + bias (pixels of kUint8 to floating, for one).
struct LayoutSpec {
  DataType type = DataType::kFp32;
  DataType out_type = DataType::kFp32;
  bool to_channels_last = true;
  int64_t n = 1, channels = 1, pixels = 1;
  int64_t channels_out = 0;       // 0: channels
  std::vector<float> scale = {};  // empty: none
  std::vector<float> bias = {};
};

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeLayoutCopy(Toolbox& toolbox, const LayoutSpec& spec);

}  // namespace nereid::engine
