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

enum class Reduction { kSum, kMean, kMax, kMin, kProd, kL1, kL2, kSumSquare, kLogSum, kLogSumExp };

// Reduces the axes of a dense tensor. Input: x. Output: y, dense, the other axes in order. Order of
// summation is fixed: results repeat bit by bit. Types: floating (kept in fp32, kFp64 in double)
// and integers (64 bits).
struct ReduceSpec {
  DataType type = DataType::kFp32;
  Reduction reduction = Reduction::kSum;
  Shape shape;
  std::vector<int64_t> axes;  // 0 … rank − 1, any order
};

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeReduce(Toolbox& toolbox, const ReduceSpec& spec);

// Index (int64) of the greatest or least element along the middle extent of [outer, n, inner].
struct ArgReduceSpec {
  DataType type = DataType::kFp32;
  bool min = false;
  bool last = false;  // of equal elements the last
  int64_t outer = 1, n = 1, inner = 1;
};

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeArgReduce(Toolbox& toolbox,
                                                        const ArgReduceSpec& spec);

}  // namespace nereid::engine
