#pragma once

#include <cstdint>
#include <vector>

#include "backends/cuda/ir/host_tensor.h"

namespace nereid::engine {

// The reference operators compute in three types: double for floating tensors, int64_t for the
// integers it can hold and bool, uint64_t for kUint64. Integer results are taken modulo the width
// of their type, as wrapping arithmetic in that type would give.

// The elements converted to C. Not for strings.
template <typename C>
std::vector<C> Read(const HostTensor& tensor);

// A tensor of the values rounded to `type`; `shape` has as many elements. To kBool: whether
// non-zero. Floating to integer: towards zero, saturated at 64 bits, a NaN is 0.
template <typename C>
HostTensor Write(DataType type, Shape shape, const std::vector<C>& values);

extern template std::vector<double> Read(const HostTensor&);
extern template std::vector<int64_t> Read(const HostTensor&);
extern template std::vector<uint64_t> Read(const HostTensor&);
extern template HostTensor Write(DataType, Shape, const std::vector<double>&);
extern template HostTensor Write(DataType, Shape, const std::vector<int64_t>&);
extern template HostTensor Write(DataType, Shape, const std::vector<uint64_t>&);

// The values as `type` would hold them.
void RoundTo(DataType type, std::vector<double>& values);

// Smallest and largest value of an integer type.
struct IntegerRange {
  double lowest;
  double highest;
};
IntegerRange RangeOf(DataType type);

bool IsInteger(DataType type);  // without kBool
bool IsUnsigned(DataType type);

// Calls visit.operator()<C>() with the type to compute in.
template <typename Visit>
auto VisitCompute(DataType type, Visit visit) {
  switch (type) {
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kFp32:
    case DataType::kFp64:
      return visit.template operator()<double>();
    case DataType::kUint64:
      return visit.template operator()<uint64_t>();
    default:
      return visit.template operator()<int64_t>();
  }
}

}  // namespace nereid::engine
