#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/cuda/device/device_op.h"
#include "backends/cuda/ir/half.h"
#include "common/strings.h"
#include "kernels/jit/toolbox.h"
#include "nereid/data_type.h"
#include "nereid/shape.h"

namespace nereid::engine {

// A tensor of a kernel's test: its elements as doubles, each a number its type can hold.
struct CaseTensor {
  DataType type = DataType::kInvalid;  // kInvalid: left out
  std::vector<double> values;
};

struct CaseData {
  std::vector<CaseTensor> inputs;
  std::vector<CaseTensor> outputs;  // what the kernel should give, in double
};

// One shape and type of one operator: the test driver compares it, the bench times it, and the unit
// test compiles it.
struct KernelCase {
  std::string op;
  std::string name;
  std::function<absl::StatusOr<std::unique_ptr<DeviceOp>>(Toolbox&)> make;
  std::function<CaseData()> data;
  double tolerance = 0;  // of ‖y − expected‖ / ‖expected‖; 0: by the first output's type
  double flops = 0;
  bool needs_hopper = false;   // UNIMPLEMENTED for other architectures than sm_90a
  bool needs_library = false;  // cuBLASLt or cuDNN: not made without a GPU
};

using KernelCases = std::vector<KernelCase>;

inline double Rounded(DataType type, double value) {
  switch (type) {
    case DataType::kFp16:
      return Fp16ToFloat(FloatToFp16(static_cast<float>(value)));
    case DataType::kBf16:
      return Bf16ToFloat(FloatToBf16(static_cast<float>(value)));
    case DataType::kFp32:
      return static_cast<float>(value);
    case DataType::kFp64:
      return value;
    case DataType::kBool:
      return value != 0;
    default:
      return std::trunc(value);
  }
}

// Numbers of [low, high), the same for the same seed.
inline CaseTensor Random(DataType type, int64_t count, double low = -1, double high = 1,
                         uint32_t seed = 1) {
  std::mt19937 generator(seed * 7919 + static_cast<uint32_t>(count));
  std::uniform_real_distribution<double> uniform(low, high);
  CaseTensor tensor{type, std::vector<double>(static_cast<size_t>(count))};
  for (double& value : tensor.values)
    value = Rounded(type, std::floor(uniform(generator) * 4096) / 4096);
  return tensor;
}

inline CaseTensor Expected(DataType type, int64_t count) {
  return {type, std::vector<double>(static_cast<size_t>(count))};
}

inline constexpr DataType kFloatTypes[] = {DataType::kFp32, DataType::kFp16, DataType::kBf16};

inline std::string NameOf(DataType type) { return std::string(ProtocolName(type)); }

}  // namespace nereid::engine
