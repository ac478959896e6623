#include "backends/cuda/ir/host_tensor.h"

#include <cstdint>
#include <cstring>
#include <mutex>
#include <new>

#include "backends/cuda/ir/half.h"

namespace nereid::engine {
namespace {

constexpr std::align_val_t kAlignment{64};

std::shared_ptr<std::byte> Allocate(size_t size) {
  auto* bytes = static_cast<std::byte*>(::operator new(size == 0 ? 1 : size, kAlignment));
  return {bytes, [](std::byte* p) { ::operator delete(p, kAlignment); }};
}

// Calls `visit` with a pointer to the elements in their own type.
template <typename Visit>
auto VisitNumber(DataType type, const std::byte* at, Visit visit) {
  const auto as = [at]<typename T>() {
    T value;
    std::memcpy(&value, at, sizeof(T));
    return value;
  };
  switch (type) {
    case DataType::kBool:
    case DataType::kUint8:
      return visit(as.template operator()<uint8_t>());
    case DataType::kUint16:
      return visit(as.template operator()<uint16_t>());
    case DataType::kUint32:
      return visit(as.template operator()<uint32_t>());
    case DataType::kUint64:
      return visit(as.template operator()<uint64_t>());
    case DataType::kInt8:
      return visit(as.template operator()<int8_t>());
    case DataType::kInt16:
      return visit(as.template operator()<int16_t>());
    case DataType::kInt32:
      return visit(as.template operator()<int32_t>());
    case DataType::kInt64:
      return visit(as.template operator()<int64_t>());
    case DataType::kFp16:
      return visit(Fp16ToFloat(as.template operator()<uint16_t>()));
    case DataType::kBf16:
      return visit(Bf16ToFloat(as.template operator()<uint16_t>()));
    case DataType::kFp32:
      return visit(as.template operator()<float>());
    case DataType::kFp64:
      return visit(as.template operator()<double>());
    case DataType::kBytes:
    case DataType::kInvalid:
      break;
  }
  return visit(0);
}

// Conversion of a floating value that an integer cannot hold is undefined: saturate.
template <typename T>
int64_t ToInt64(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    if (!(value > -9.2e18)) return value == value ? INT64_MIN : 0;
    if (value > 9.2e18) return INT64_MAX;
  }
  return static_cast<int64_t>(value);
}

}  // namespace

struct HostTensor::Realigned {
  std::once_flag once;
  std::shared_ptr<std::byte> bytes;
};

HostTensor::HostTensor(DataType type, Shape shape) : type_(type), shape_(std::move(shape)) {
  element_count_ = ElementCount(shape_).value_or(0);
  if (type_ == DataType::kBytes) {
    strings_ = std::make_shared<std::vector<std::string>>(static_cast<size_t>(element_count_));
    return;
  }
  auto bytes = Allocate(byte_size());
  bytes_ = bytes.get();
  owner_ = std::move(bytes);
}

HostTensor::HostTensor(DataType type, Shape shape, std::shared_ptr<const void> owner,
                       const std::byte* bytes)
    : type_(type), shape_(std::move(shape)), owner_(std::move(owner)), bytes_(bytes) {
  element_count_ = ElementCount(shape_).value_or(0);
  const size_t alignment = ElementByteSize(type_);
  if (alignment > 1 && reinterpret_cast<uintptr_t>(bytes_) % alignment != 0) {
    realigned_ = std::make_shared<Realigned>();
  }
}

HostTensor HostTensor::Scalar(int64_t value) { return Of<int64_t>(DataType::kInt64, {}, {value}); }

HostTensor HostTensor::Vector(absl::Span<const int64_t> values) {
  return Of<int64_t>(DataType::kInt64, {static_cast<int64_t>(values.size())},
                     std::vector<int64_t>(values.begin(), values.end()));
}

size_t HostTensor::byte_size() const {
  return static_cast<size_t>(element_count_) * ElementByteSize(type_);
}

const std::byte* HostTensor::RealignedBytes() const {
  std::call_once(realigned_->once, [this] {
    realigned_->bytes = Allocate(byte_size());
    std::memcpy(realigned_->bytes.get(), bytes_, byte_size());
  });
  return realigned_->bytes.get();
}

HostTensor HostTensor::Reshaped(Shape shape) const {
  HostTensor tensor = *this;
  tensor.shape_ = std::move(shape);
  return tensor;
}

double HostTensor::AsDouble(int64_t i) const {
  return VisitNumber(type_, bytes_ + static_cast<size_t>(i) * ElementByteSize(type_),
                     [](auto value) { return static_cast<double>(value); });
}

int64_t HostTensor::AsInt64(int64_t i) const {
  return VisitNumber(type_, bytes_ + static_cast<size_t>(i) * ElementByteSize(type_),
                     [](auto value) { return ToInt64(value); });
}

std::vector<int64_t> HostTensor::AsInt64Vector() const {
  std::vector<int64_t> values(static_cast<size_t>(element_count_));
  for (int64_t i = 0; i < element_count_; ++i) values[static_cast<size_t>(i)] = AsInt64(i);
  return values;
}

bool HostTensor::SameAs(const HostTensor& other) const {
  if (type_ != other.type_ || shape_ != other.shape_) return false;
  if (type_ == DataType::kBytes) return *strings_ == *other.strings_;
  return bytes_ == other.bytes_ || byte_size() == 0 ||
         std::memcmp(bytes_, other.bytes_, byte_size()) == 0;
}

}  // namespace nereid::engine
