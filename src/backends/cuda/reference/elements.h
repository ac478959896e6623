#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/types/span.h"
#include "backends/cuda/ir/host_tensor.h"
#include "backends/cuda/reference/shapes.h"

namespace nereid::engine {

// Moving elements of any type, strings too, without looking at them.

// Calls visit.operator()<S>() with a type that has the width of the elements; std::string for
// kBytes.
template <typename Visit>
auto VisitStorage(DataType type, Visit visit) {
  switch (ElementByteSize(type)) {
    case 1:
      return visit.template operator()<uint8_t>();
    case 2:
      return visit.template operator()<uint16_t>();
    case 4:
      return visit.template operator()<uint32_t>();
    case 8:
      return visit.template operator()<uint64_t>();
    default:
      return visit.template operator()<std::string>();
  }
}

template <typename S>
const S* Elements(const HostTensor& tensor) {
  if constexpr (std::is_same_v<S, std::string>) {
    return tensor.strings().data();
  } else {
    return tensor.data<S>();
  }
}

template <typename S>
S* MutableElements(HostTensor& tensor) {
  if constexpr (std::is_same_v<S, std::string>) {
    return tensor.mutable_strings().data();
  } else {
    return tensor.mutable_data<S>();
  }
}

// A dense tensor of `shape` whose element at an index is that of `source` at offset +
// index·strides.
HostTensor CopyStrided(const HostTensor& source, int64_t offset, const Shape& shape,
                       const Strides& strides);

// A dense tensor of `shape` whose element i is that of `source` at from[i]; where from[i] is
// negative, that of the scalar `fill`, or zero (an empty string) without one.
HostTensor Take(const HostTensor& source, const Shape& shape, absl::Span<const int64_t> from,
                const HostTensor* fill = nullptr);

// The same where the index is given an axis apart: element (i, j, …) is that at (along[0][i],
// along[1][j], …), or the fill where one of those is negative.
HostTensor TakeGrid(const HostTensor& source, const std::vector<std::vector<int64_t>>& along,
                    const HostTensor* fill = nullptr);

// A copy that may be written to.
HostTensor Clone(const HostTensor& source);

// Zeros or empty strings.
HostTensor Zeros(DataType type, const Shape& shape);

}  // namespace nereid::engine
