#include <algorithm>

#include "backends/cuda/reference/elements.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// Operators that read elements at computed places.

// Indices counted from the front; refused when one lies outside [-extent, extent).
absl::Status WrapIndices(std::vector<int64_t>& indices, int64_t extent) {
  for (int64_t& index : indices) {
    if (index < -extent || index >= extent) {
      return Refuse("index ", index, " lies outside an axis of ", extent);
    }
    if (index < 0) index += extent;
  }
  return absl::OkStatus();
}

Results Gather(const Call& call) {
  const HostTensor& x = call.In(0);
  NEREID_ASSIGN_OR_RETURN(const size_t axis, AxisOf(call.node.Int("axis", 0), x.shape().size()));
  const AxisView view = ViewAlong(x.shape(), axis);
  NEREID_ASSIGN_OR_RETURN(std::vector<int64_t> indices, call.Integers(1));
  NEREID_RETURN_IF_ERROR(WrapIndices(indices, view.extent));
  Shape shape(x.shape().begin(), x.shape().begin() + static_cast<long>(axis));
  shape.insert(shape.end(), call.ShapeOf(1).begin(), call.ShapeOf(1).end());
  shape.insert(shape.end(), x.shape().begin() + static_cast<long>(axis) + 1, x.shape().end());
  NEREID_RETURN_IF_ERROR(CountOf(shape).status());
  HostTensor result(x.type(), shape);
  VisitStorage(x.type(), [&]<typename S>() {
    const S* from = Elements<S>(x);
    S* to = MutableElements<S>(result);
    for (int64_t o = 0; o < view.outer; ++o) {
      for (const int64_t index : indices) {
        to = std::copy_n(from + (o * view.extent + index) * view.inner, view.inner, to);
      }
    }
  });
  return One(std::move(result));
}

Results GatherElements(const Call& call) {
  const HostTensor& x = call.In(0);
  const Shape& shape = call.ShapeOf(1);
  NEREID_ASSIGN_OR_RETURN(const size_t axis, AxisOf(call.node.Int("axis", 0), x.shape().size()));
  if (shape.size() != x.shape().size()) return Refuse("data and indices differ in rank");
  for (size_t d = 0; d < shape.size(); ++d) {
    if (d != axis && shape[d] > x.shape()[d]) return Refuse("axis ", d, " has too many indices");
  }
  NEREID_ASSIGN_OR_RETURN(std::vector<int64_t> indices, call.Integers(1));
  NEREID_RETURN_IF_ERROR(WrapIndices(indices, x.shape()[axis]));
  Strides strides = ContiguousStrides(x.shape());
  const int64_t step = strides[axis];
  strides[axis] = 0;
  ForEachOffset<1>(shape, {strides}, [&](int64_t i, const auto& at) {
    int64_t& index = indices[static_cast<size_t>(i)];
    index = at[0] + index * step;
  });
  return One(Take(x, shape, indices));
}

Results GatherNd(const Call& call) {
  const HostTensor& x = call.In(0);
  const Shape& at = call.ShapeOf(1);
  const int64_t batch = call.node.Int("batch_dims", 0);
  if (at.empty() || batch < 0 || batch >= static_cast<int64_t>(at.size())) {
    return Refuse("batch_dims is ", batch);
  }
  const auto lead = static_cast<size_t>(batch);
  const auto depth = static_cast<size_t>(at.back());
  if (at.back() < 1 || lead + depth > x.shape().size()) {
    return Refuse("indices of shape ", ShapeToString(at), " do not fit ", ShapeToString(x.shape()));
  }
  if (!std::equal(at.begin(), at.begin() + batch, x.shape().begin())) {
    return Refuse("data and indices differ in their batch axes");
  }
  Shape shape(at.begin(), at.end() - 1);
  const Shape slice(x.shape().begin() + static_cast<long>(lead + depth), x.shape().end());
  shape.insert(shape.end(), slice.begin(), slice.end());
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(shape));
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> indices, call.Integers(1));
  const Strides strides = ContiguousStrides(x.shape());
  const int64_t run = Product(slice);
  const int64_t tuples_in_batch =
      Product(absl::Span<const int64_t>(at).subspan(lead, at.size() - 1 - lead));
  const int64_t batch_step = lead == 0 ? 0 : strides[lead - 1];
  std::vector<int64_t> from;
  from.reserve(static_cast<size_t>(count));
  for (size_t tuple = 0; tuple < indices.size() / depth; ++tuple) {
    int64_t base = static_cast<int64_t>(tuple) / std::max<int64_t>(tuples_in_batch, 1) * batch_step;
    for (size_t d = 0; d < depth; ++d) {
      const int64_t extent = x.shape()[lead + d];
      const int64_t index = indices[tuple * depth + d];
      if (index < -extent || index >= extent) return Refuse("index ", index, " lies outside");
      base += (index < 0 ? index + extent : index) * strides[lead + d];
    }
    for (int64_t i = 0; i < run; ++i) from.push_back(base + i);
  }
  return One(Take(x, shape, from));
}

Results Compress(const Call& call) {
  HostTensor x = call.In(0);
  if (call.In(1).type() != DataType::kBool) return Refuse("the condition is not a bool tensor");
  size_t axis = 0;
  if (call.node.attributes.contains("axis")) {
    NEREID_ASSIGN_OR_RETURN(axis, AxisOf(call.node.Int("axis", 0), x.shape().size()));
  } else {
    x = x.Reshaped({x.element_count()});
  }
  const uint8_t* condition = call.In(1).data<uint8_t>();
  std::vector<std::vector<int64_t>> along(x.shape().size());
  for (size_t d = 0; d < along.size(); ++d) {
    const int64_t extent =
        d == axis ? std::min(x.shape()[d], call.In(1).element_count()) : x.shape()[d];
    for (int64_t i = 0; i < extent; ++i) {
      if (d != axis || condition[i] != 0) along[d].push_back(i);
    }
  }
  return One(TakeGrid(x, along));
}

Results NonZero(const Call& call) {
  const HostTensor& x = call.In(0);
  const size_t rank = x.shape().size();
  std::vector<int64_t> found;
  for (int64_t i = 0; i < x.element_count(); ++i) {
    if (x.AsDouble(i) != 0) found.push_back(i);
  }
  const Strides strides = ContiguousStrides(x.shape());
  HostTensor result(DataType::kInt64,
                    {static_cast<int64_t>(rank), static_cast<int64_t>(found.size())});
  auto* to = result.mutable_data<int64_t>();
  for (size_t d = 0; d < rank; ++d) {
    for (const int64_t i : found) *to++ = i / strides[d] % x.shape()[d];
  }
  return One(std::move(result));
}

constexpr OperatorRow kOperators[] = {
    {"Compress", Compress, 2, Accepts::kAnything},
    {"Gather", Gather, 2, Accepts::kAnything},
    {"GatherElements", GatherElements, 2, Accepts::kAnything},
    {"GatherND", GatherNd, 2, Accepts::kAnything},
    {"NonZero", NonZero, 1},
};

}  // namespace

absl::Span<const OperatorRow> GatherOperators() { return kOperators; }

}  // namespace nereid::engine
