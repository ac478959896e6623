#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "nereid/data_type.h"
#include "nereid/shape.h"

namespace nereid::engine {

// A dense tensor in host memory: a weight (then its bytes may lie in the mapped model file), a
// folded constant, or a value of the reference executor. Cheap to copy; the bytes are shared and,
// once the tensor has been handed on, not written any more. Strings (kBytes) are kept as
// std::string elements.
class HostTensor {
 public:
  HostTensor() = default;
  // Allocates; contents undefined (strings empty).
  HostTensor(DataType type, Shape shape);
  // Refers to `bytes`, which `owner` keeps alive.
  HostTensor(DataType type, Shape shape, std::shared_ptr<const void> owner, const std::byte* bytes);

  template <typename T>
  static HostTensor Of(DataType type, Shape shape, const std::vector<T>& values);
  static HostTensor Scalar(int64_t value);
  static HostTensor Vector(absl::Span<const int64_t> values);  // kInt64, rank 1

  DataType type() const { return type_; }
  const Shape& shape() const { return shape_; }
  int64_t element_count() const { return element_count_; }
  size_t byte_size() const;
  bool is_scalar_like() const { return element_count_ == 1; }

  // The bytes as they lie, possibly unaligned in a mapped file: for copies.
  const std::byte* bytes() const { return bytes_; }
  // The elements, aligned: made so by a copy on first use where the file has them unaligned.
  template <typename T>
  const T* data() const {
    return reinterpret_cast<const T*>(realigned_ == nullptr ? bytes_ : RealignedBytes());
  }
  // Only on a tensor that was allocated here and not handed on yet.
  template <typename T>
  T* mutable_data() {
    return reinterpret_cast<T*>(const_cast<std::byte*>(bytes_));
  }
  const std::vector<std::string>& strings() const { return *strings_; }
  std::vector<std::string>& mutable_strings() { return *strings_; }

  // The same bytes under another shape of as many elements.
  HostTensor Reshaped(Shape shape) const;
  // Element i of an integer, bool or floating type, converted.
  double AsDouble(int64_t i) const;
  int64_t AsInt64(int64_t i) const;
  // All elements as int64 (shapes, axes, …).
  std::vector<int64_t> AsInt64Vector() const;
  // Whether type, shape and every bit agree.
  bool SameAs(const HostTensor& other) const;

 private:
  struct Realigned;

  const std::byte* RealignedBytes() const;

  DataType type_ = DataType::kInvalid;
  Shape shape_;
  int64_t element_count_ = 0;
  std::shared_ptr<const void> owner_;
  const std::byte* bytes_ = nullptr;
  std::shared_ptr<std::vector<std::string>> strings_;
  std::shared_ptr<Realigned> realigned_;  // only where bytes_ is unaligned
};

template <typename T>
HostTensor HostTensor::Of(DataType type, Shape shape, const std::vector<T>& values) {
  HostTensor tensor(type, std::move(shape));
  const size_t count = std::min(values.size(), tensor.byte_size() / std::max<size_t>(sizeof(T), 1));
  std::copy_n(values.begin(), count, tensor.mutable_data<T>());
  return tensor;
}

}  // namespace nereid::engine
