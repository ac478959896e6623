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

// Where an operand's elements are: element (b, h, row, column) at b·batch + h·head + row·row +
// column; elements of a row lie side by side.
struct AttentionStrides {
  int64_t batch = 0, head = 0, row = 0;
};

// y = softmax(scale · q · kᵀ + mask) · v for every batch and head. Inputs: q, k, v, mask or 0.
// Output: y. kFp16 and kBf16 with sums in fp32 (on tensor cores); kFp32 in fp32.
struct AttentionSpec {
  DataType type = DataType::kFp16;
  int64_t batch = 1, heads = 1, kv_heads = 0;  // kv_heads 0: heads; else a divisor of heads
  int64_t queries = 1, keys = 1;
  int64_t head_dim = 64;  // of q and k, at most 128
  int64_t value_dim = 0;  // 0: head_dim; at most 128
  float scale = 1;
  bool causal = false;                      // query i sees keys up to i + keys − queries
  AttentionStrides q, k, v, y;              // all zero: dense [batch, heads, rows, dim]
  bool has_mask = false;                    // added before the softmax
  DataType mask_type = DataType::kInvalid;  // kInvalid: as `type`; kBool: false hides a key
  // Elements between neighbours along batch, head, query and key; 0 repeats.
  std::array<int64_t, 4> mask_strides = {0, 0, 0, 1};
};

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeAttention(Toolbox& toolbox,
                                                        const AttentionSpec& spec);

}  // namespace nereid::engine
