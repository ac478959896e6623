#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "backends/cuda/device/device_op.h"
#include "kernels/jit/toolbox.h"
#include "nereid/data_type.h"

namespace nereid::engine {

// One operand's place in memory: rows of `row_stride` elements, matrices of a batch `batch_stride`
// elements apart (0: the same matrix for the whole batch).
struct MatrixLayout {
  int64_t row_stride = 0;     // 0: dense
  int64_t batch_stride = -1;  // -1: dense
};

enum class GemmActivation { kNone, kRelu, kGeluTanh };

// C = activation(alpha · op(A) · op(B) + residual + bias), row-major; op(A) is m×k, op(B) k×n.
// Inputs: A, B, bias (n elements) or 0, residual (as C) or 0. Output: C.
struct GemmSpec {
  DataType type = DataType::kFp32;         // of A and B: kFp32, kFp16, kBf16
  DataType out_type = DataType::kInvalid;  // of C, bias and residual; kInvalid: as `type`; or kFp32
  bool tf32 = false;                       // kFp32 only: multiply on tensor cores
  int64_t m = 0, n = 0, k = 0;
  int64_t batch = 1;
  bool transpose_a = false;  // A is stored k×m
  bool transpose_b = false;  // B is stored n×k
  MatrixLayout a, b, c;      // c also describes the residual
  bool has_bias = false;
  bool has_residual = false;
  GemmActivation activation = GemmActivation::kNone;
  float alpha = 1;
  uint32_t alignment = 16;  // of every operand's address, in bytes; at least that of an element
  // B lies there before the program runs: it may be read while the kernel in front is at work.
  bool b_is_constant = false;
};

// With the result's type and all strides filled in.
GemmSpec Completed(GemmSpec spec);

// Everything in a completed specification that the choice of an implementation depends on, in
// words.
std::string SpecificationOf(const GemmSpec& spec, const Toolbox::Options& options);

// By cuBLASLt. UNIMPLEMENTED when the library has no implementation for the specification.
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeGemm(Toolbox& toolbox, const GemmSpec& spec);

}  // namespace nereid::engine
