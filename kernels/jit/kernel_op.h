#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "backends/cuda/device/device_op.h"
#include "kernels/jit/toolbox.h"
#include "nereid/data_type.h"

namespace nereid::engine {

// What one parameter of a kernel is when the op is launched: an address among the op's inputs,
// outputs or scratch memory (plus an offset in bytes), or a value fixed when the op was made.
struct KernelArgument {
  enum class Kind { kInput, kOutput, kWorkspace, kValue };
  Kind kind = Kind::kValue;
  size_t index = 0;
  uint64_t offset = 0;
  std::vector<std::byte> value = {};
};

inline KernelArgument Input(size_t index, uint64_t offset = 0) {
  return {KernelArgument::Kind::kInput, index, offset};
}
inline KernelArgument Output(size_t index, uint64_t offset = 0) {
  return {KernelArgument::Kind::kOutput, index, offset};
}
inline KernelArgument Scratch(uint64_t offset) {
  return {KernelArgument::Kind::kWorkspace, 0, offset};
}
// By value, as the kernel's parameter lies in memory: a number, or a struct of numbers.
template <typename T>
KernelArgument Value(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  KernelArgument argument;
  argument.value.resize(sizeof(T));
  std::memcpy(argument.value.data(), &value, sizeof(T));
  return argument;
}

struct KernelLaunch {
  CUfunction function = nullptr;
  int64_t grid_x = 1;  // nothing is launched when an extent of the grid is 0
  int64_t grid_y = 1;
  int64_t grid_z = 1;
  int block = 256;
  size_t shared_bytes = 0;  // beyond what the kernel declares
  std::vector<KernelArgument> arguments;
};

// A few kernels, one after the other.
class KernelOp final : public DeviceOp {
 public:
  struct Properties {
    size_t workspace_bytes = 0;
    bool in_place = false;
  };
  // INTERNAL when a kernel cannot have the shared memory it asks for; UNIMPLEMENTED when a grid is
  // too large.
  static absl::StatusOr<std::unique_ptr<DeviceOp>> Create(const Toolbox& toolbox,
                                                          std::vector<KernelLaunch> launches,
                                                          Properties properties);
  static absl::StatusOr<std::unique_ptr<DeviceOp>> Create(const Toolbox& toolbox,
                                                          KernelLaunch launch,
                                                          Properties properties);

  size_t workspace_bytes() const override { return properties_.workspace_bytes; }
  bool in_place() const override { return properties_.in_place; }
  int kernel_count() const override { return static_cast<int>(launches_.size()); }
  absl::Status Launch(absl::Span<const DevicePointer> inputs,
                      absl::Span<const DevicePointer> outputs, DevicePointer workspace,
                      DeviceStream stream) const override;

 private:
  KernelOp(std::shared_ptr<Context> context, std::vector<KernelLaunch> launches,
           Properties properties)
      : context_(std::move(context)), launches_(std::move(launches)), properties_(properties) {}

  const std::shared_ptr<Context> context_;
  const std::vector<KernelLaunch> launches_;
  const Properties properties_;
};

// Division of numbers below 2^31 by a constant, without dividing; the prelude has its twin.
struct Divisor {
  uint32_t divisor = 1;
  uint32_t multiplier = 1;
  uint32_t shift = 0;

  Divisor() = default;
  explicit Divisor(int64_t value);
};

// "#define T f16\n": the type's name in kernel text.
std::string DefineType(const char* macro, DataType type);
std::string_view KernelTypeName(DataType type);  // "f16"; empty for types kernels do not know
std::string DefineNumber(const char* macro, int64_t value);

inline int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }
// Product of extents [begin, end).
int64_t ExtentProduct(absl::Span<const int64_t> extents, size_t begin, size_t end);
int64_t ExtentProduct(absl::Span<const int64_t> extents);
// Strides in elements of a dense tensor.
std::vector<int64_t> DenseStrides(absl::Span<const int64_t> extents);

// UNIMPLEMENTED unless all counts fit 31 bits, as the kernels' index arithmetic needs.
absl::Status CheckIndexRange(std::initializer_list<int64_t> counts);
// Blocks for a loop in which every thread of `block` takes `per_thread` elements and goes on in
// steps of the grid: enough to fill the GPU, not more.
int64_t GridFor(const Toolbox& toolbox, int64_t elements, int block = 256, int per_thread = 1);

}  // namespace nereid::engine
