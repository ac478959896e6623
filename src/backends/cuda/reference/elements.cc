#include "backends/cuda/reference/elements.h"

#include <algorithm>

namespace nereid::engine {

HostTensor CopyStrided(const HostTensor& source, int64_t offset, const Shape& shape,
                       const Strides& strides) {
  HostTensor result(source.type(), shape);
  VisitStorage(source.type(), [&]<typename S>() {
    const S* from = Elements<S>(source) + offset;
    S* to = MutableElements<S>(result);
    ForEachOffset<1>(shape, {strides}, [&](int64_t i, const auto& at) { to[i] = from[at[0]]; });
  });
  return result;
}

HostTensor Take(const HostTensor& source, const Shape& shape, absl::Span<const int64_t> from,
                const HostTensor* fill) {
  HostTensor result(source.type(), shape);
  VisitStorage(source.type(), [&]<typename S>() {
    const S* elements = Elements<S>(source);
    const S padding = fill == nullptr ? S{} : Elements<S>(*fill)[0];
    S* to = MutableElements<S>(result);
    for (size_t i = 0; i < from.size(); ++i) to[i] = from[i] < 0 ? padding : elements[from[i]];
  });
  return result;
}

HostTensor TakeGrid(const HostTensor& source, const std::vector<std::vector<int64_t>>& along,
                    const HostTensor* fill) {
  const Strides strides = ContiguousStrides(source.shape());
  Shape shape;
  for (const auto& axis : along) shape.push_back(static_cast<int64_t>(axis.size()));
  std::vector<int64_t> from(static_cast<size_t>(Product(shape)));
  ForEachIndex(shape, [&](int64_t i, const Strides& index) {
    int64_t at = 0;
    bool is_outside = false;
    for (size_t d = 0; d < along.size(); ++d) {
      const int64_t position = along[d][static_cast<size_t>(index[d])];
      is_outside |= position < 0;
      at += position * strides[d];
    }
    from[static_cast<size_t>(i)] = is_outside ? -1 : at;
  });
  return Take(source, shape, from, fill);
}

HostTensor Clone(const HostTensor& source) {
  HostTensor result(source.type(), source.shape());
  VisitStorage(source.type(), [&]<typename S>() {
    std::copy_n(Elements<S>(source), source.element_count(), MutableElements<S>(result));
  });
  return result;
}

HostTensor Zeros(DataType type, const Shape& shape) {
  HostTensor result(type, shape);
  VisitStorage(type, [&]<typename S>() {
    std::fill_n(MutableElements<S>(result), result.element_count(), S{});
  });
  return result;
}

}  // namespace nereid::engine
