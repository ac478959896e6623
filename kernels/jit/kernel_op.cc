#include "kernels/jit/kernel_op.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

constexpr size_t kSharedWithoutAsking = 48 << 10;
constexpr int64_t kMaxGridX = std::numeric_limits<int32_t>::max();
constexpr int64_t kMaxGridYZ = 65535;

constexpr struct {
  DataType type;
  std::string_view name;
} kTypeNames[] = {
    {DataType::kBool, "b8"},    {DataType::kUint8, "u8"},   {DataType::kUint16, "u16"},
    {DataType::kUint32, "u32"}, {DataType::kUint64, "u64"}, {DataType::kInt8, "s8"},
    {DataType::kInt16, "s16"},  {DataType::kInt32, "s32"},  {DataType::kInt64, "s64"},
    {DataType::kFp16, "f16"},   {DataType::kFp32, "float"}, {DataType::kFp64, "double"},
    {DataType::kBf16, "bf16"},
};

absl::Status Prepare(const Toolbox& toolbox, const KernelLaunch& launch) {
  if (launch.grid_x > kMaxGridX || launch.grid_y > kMaxGridYZ || launch.grid_z > kMaxGridYZ) {
    return absl::UnimplementedError(StrCat("a grid of ", launch.grid_x, "×", launch.grid_y, "×",
                                           launch.grid_z, " blocks is too large"));
  }
  if (launch.shared_bytes > toolbox.context()->max_shared_bytes()) {
    return absl::UnimplementedError(
        StrCat("a block with ", launch.shared_bytes, " bytes of shared memory"));
  }
  if (launch.shared_bytes <= kSharedWithoutAsking || toolbox.context()->offline())
    return absl::OkStatus();
  return CudaStatus(toolbox.context()->api().cuFuncSetAttribute(
                        launch.function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                        static_cast<int>(launch.shared_bytes)),
                    "cuFuncSetAttribute");
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> KernelOp::Create(const Toolbox& toolbox,
                                                           std::vector<KernelLaunch> launches,
                                                           Properties properties) {
  std::erase_if(launches, [](const KernelLaunch& launch) {
    return launch.grid_x <= 0 || launch.grid_y <= 0 || launch.grid_z <= 0;
  });
  for (const KernelLaunch& launch : launches) NEREID_RETURN_IF_ERROR(Prepare(toolbox, launch));
  return std::unique_ptr<DeviceOp>(
      new KernelOp(toolbox.context(), std::move(launches), properties));
}

absl::StatusOr<std::unique_ptr<DeviceOp>> KernelOp::Create(const Toolbox& toolbox,
                                                           KernelLaunch launch,
                                                           Properties properties) {
  std::vector<KernelLaunch> launches;
  launches.push_back(std::move(launch));
  return Create(toolbox, std::move(launches), properties);
}

absl::Status KernelOp::Launch(absl::Span<const DevicePointer> inputs,
                              absl::Span<const DevicePointer> outputs, DevicePointer workspace,
                              DeviceStream stream) const {
  const auto address = [&](const KernelArgument& argument) -> DevicePointer {
    const auto of = [&](absl::Span<const DevicePointer> pointers) -> DevicePointer {
      if (argument.index >= pointers.size() || pointers[argument.index] == 0) return 0;
      return pointers[argument.index] + argument.offset;
    };
    switch (argument.kind) {
      case KernelArgument::Kind::kInput:
        return of(inputs);
      case KernelArgument::Kind::kOutput:
        return of(outputs);
      default:
        return workspace + argument.offset;
    }
  };
  if (context_->offline()) return absl::UnavailableError("no CUDA device");
  for (const KernelLaunch& launch : launches_) {
    absl::InlinedVector<DevicePointer, 24> addresses(launch.arguments.size());
    absl::InlinedVector<void*, 24> parameters(launch.arguments.size());
    for (size_t i = 0; i < launch.arguments.size(); ++i) {
      const KernelArgument& argument = launch.arguments[i];
      if (argument.kind == KernelArgument::Kind::kValue) {
        parameters[i] = const_cast<std::byte*>(argument.value.data());
      } else {
        addresses[i] = address(argument);
        parameters[i] = &addresses[i];
      }
    }
    NEREID_RETURN_IF_ERROR(CudaStatus(
        context_->api().cuLaunchKernel(
            launch.function, static_cast<unsigned>(launch.grid_x),
            static_cast<unsigned>(launch.grid_y), static_cast<unsigned>(launch.grid_z),
            static_cast<unsigned>(launch.block), 1, 1, static_cast<unsigned>(launch.shared_bytes),
            static_cast<CUstream>(stream), parameters.data(), nullptr),
        "cuLaunchKernel"));
  }
  return absl::OkStatus();
}

Divisor::Divisor(int64_t value) {
  divisor = static_cast<uint32_t>(std::max<int64_t>(value, 1));
  shift = divisor == 1 ? 0 : static_cast<uint32_t>(std::bit_width(divisor - 1));
  multiplier = static_cast<uint32_t>(
      ((uint64_t{1} << 32) * ((uint64_t{1} << shift) - divisor)) / divisor + 1);
}

std::string_view KernelTypeName(DataType type) {
  for (const auto& row : kTypeNames) {
    if (row.type == type) return row.name;
  }
  return "";
}

std::string DefineType(const char* macro, DataType type) {
  return StrCat("#define ", macro, " ", KernelTypeName(type), "\n");
}

std::string DefineNumber(const char* macro, int64_t value) {
  return StrCat("#define ", macro, " ", value, "\n");
}

int64_t ExtentProduct(absl::Span<const int64_t> extents, size_t begin, size_t end) {
  int64_t product = 1;
  for (size_t i = begin; i < end; ++i) product *= extents[i];
  return product;
}

int64_t ExtentProduct(absl::Span<const int64_t> extents) {
  return ExtentProduct(extents, 0, extents.size());
}

std::vector<int64_t> DenseStrides(absl::Span<const int64_t> extents) {
  std::vector<int64_t> strides(extents.size());
  int64_t step = 1;
  for (size_t i = extents.size(); i-- > 0;) {
    strides[i] = step;
    step *= extents[i];
  }
  return strides;
}

absl::Status CheckIndexRange(std::initializer_list<int64_t> counts) {
  for (const int64_t count : counts) {
    if (count < 0 || count > std::numeric_limits<int32_t>::max()) {
      return absl::UnimplementedError(StrCat("a tensor of ", count, " elements is too large"));
    }
  }
  return absl::OkStatus();
}

int64_t GridFor(const Toolbox& toolbox, int64_t elements, int block, int per_thread) {
  const int64_t needed = CeilDivide(elements, int64_t{block} * per_thread);
  const int64_t resident = int64_t{toolbox.context()->multiprocessors()} * (2048 / block) * 4;
  return std::min(needed, resident);
}

}  // namespace nereid::engine
