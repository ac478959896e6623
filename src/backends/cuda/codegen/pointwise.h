#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backends/cuda/device/device_op.h"
#include "kernels/jit/toolbox.h"
#include "nereid/data_type.h"
#include "nereid/shape.h"

namespace nereid::engine {

// One step of a pointwise expression: `function` (a name of PointwiseFunctions(), mostly that of
// the ONNX operator) applied to earlier values.
struct PointwiseStep {
  std::string function;
  // Indices of values: the spec's inputs come first, then the steps' results in order.
  std::vector<int> operands;
  // Attributes, in the order PointwiseFunctions() gives ("LeakyRelu": alpha; "Constant": the
  // value).
  std::vector<double> parameters;
  // Type of the result. Floating types of 16 and 32 bits are computed in 32 and not rounded between
  // steps; a "Cast" to a 16-bit type rounds. kFp64 is computed in double; integers in 64 bits and
  // wrapped to this type.
  DataType type = DataType::kFp32;
};

struct PointwiseTensor {
  DataType type = DataType::kFp32;
  // Elements between neighbours along each extent of the spec's shape; 0 repeats the element.
  // Empty: dense.
  std::vector<int64_t> strides = {};
  int64_t offset = 0;  // of the first element, in elements
};

// output[j][i] = values[result[j]][i] for every i of `shape`. Operands of a step have one type,
// except for those of Where (its first is kBool), Cast, and comparisons' results.
struct PointwiseSpec {
  Shape shape;
  std::vector<PointwiseTensor> inputs;  // at most kMaxPointwiseInputs
  std::vector<PointwiseStep> steps;     // at most kMaxPointwiseSteps
  std::vector<PointwiseTensor> outputs;
  std::vector<int> results;  // the value each output takes
};

inline constexpr size_t kMaxPointwiseInputs = 12;
inline constexpr size_t kMaxPointwiseOutputs = 8;
inline constexpr size_t kMaxPointwiseSteps = 64;

struct PointwiseFunction {
  std::string_view name;
  int operands;         // -1: one or more (Max, Min, Sum, Mean)
  int parameters;       // how many PointwiseStep::parameters
  bool boolean_result;  // the step's type is kBool
  // What the result is in CUDA C++: $0, $1, … are operands, #0, … parameters. Three forms:
  // floating, integer, bool; empty where the operator has no such form.
  std::string_view floating;
  std::string_view integer;
  std::string_view boolean;
};

// All functions, sorted by name.
absl::Span<const PointwiseFunction> PointwiseFunctions();
// nullptr when there is none of that name.
const PointwiseFunction* FindPointwiseFunction(std::string_view name);

// Strides of a dense tensor of shape `from`, broadcast to `to` as ONNX does (aligned at the end).
std::vector<int64_t> BroadcastStrides(const Shape& from, const Shape& to);

// The kernel's text, for tests and dumps. INVALID_ARGUMENT, naming the step, when the spec breaks a
// rule above.
absl::StatusOr<std::string> PointwiseSource(const PointwiseSpec& spec);

// Inputs and outputs in the spec's order. An output may be the memory of an input of the same type
// and strides.
absl::StatusOr<std::unique_ptr<DeviceOp>> MakePointwise(Toolbox& toolbox,
                                                        const PointwiseSpec& spec);

// One step over dense operands: the common case.
PointwiseSpec SingleStep(PointwiseStep step, const Shape& shape,
                         const std::vector<std::pair<DataType, Shape>>& inputs);

}  // namespace nereid::engine
