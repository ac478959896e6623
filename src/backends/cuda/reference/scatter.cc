#include <algorithm>

#include "backends/cuda/reference/elements.h"
#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// Operators that write elements to computed places of a copy.

enum class Combine { kReplace, kAdd, kMultiply, kLargest, kSmallest };

absl::StatusOr<Combine> CombineOf(const Node& node) {
  struct Row {
    std::string_view name;
    Combine combine;
  };
  constexpr Row kRows[] = {{"none", Combine::kReplace},
                           {"add", Combine::kAdd},
                           {"mul", Combine::kMultiply},
                           {"max", Combine::kLargest},
                           {"min", Combine::kSmallest}};
  const std::string name = node.String("reduction", "none");
  for (const Row& row : kRows) {
    if (row.name == name) return row.combine;
  }
  return Refuse("reduction is '", name, "'");
}

template <typename C>
C Combined(Combine combine, C old, C update) {
  using W = std::conditional_t<std::is_same_v<C, int64_t>, uint64_t, C>;
  switch (combine) {
    case Combine::kReplace:
      return update;
    case Combine::kAdd:
      return static_cast<C>(static_cast<W>(old) + static_cast<W>(update));
    case Combine::kMultiply:
      return static_cast<C>(static_cast<W>(old) * static_cast<W>(update));
    case Combine::kLargest:
      return update > old || update != update ? update : old;
    case Combine::kSmallest:
      return update < old || update != update ? update : old;
  }
  return old;
}

// Writes element i of `updates` to places[i] of a copy of `x`.
Results ScatterTo(const HostTensor& x, const HostTensor& updates, absl::Span<const int64_t> places,
                  Combine combine) {
  if (updates.type() != x.type()) return Refuse("data and updates differ in type");
  if (combine == Combine::kReplace) {
    HostTensor result = Clone(x);
    VisitStorage(x.type(), [&]<typename S>() {
      const S* from = Elements<S>(updates);
      S* to = MutableElements<S>(result);
      for (size_t i = 0; i < places.size(); ++i) to[places[i]] = from[i];
    });
    return One(std::move(result));
  }
  if (x.type() == DataType::kBytes) return Refuse("strings cannot be combined");
  return VisitCompute(x.type(), [&]<typename C>() -> Results {
    std::vector<C> values = Read<C>(x);
    const std::vector<C> from = Read<C>(updates);
    for (size_t i = 0; i < places.size(); ++i) {
      C& value = values[static_cast<size_t>(places[i])];
      value = Combined(combine, value, from[i]);
    }
    return One(Write(x.type(), x.shape(), values));
  });
}

Results ScatterElements(const Call& call) {
  const HostTensor& x = call.In(0);
  const Shape& shape = call.ShapeOf(1);
  NEREID_ASSIGN_OR_RETURN(const size_t axis, AxisOf(call.node.Int("axis", 0), x.shape().size()));
  NEREID_ASSIGN_OR_RETURN(const Combine combine, CombineOf(call.node));
  if (shape != call.ShapeOf(2) || shape.size() != x.shape().size()) {
    return Refuse("data, indices and updates differ in shape");
  }
  for (size_t d = 0; d < shape.size(); ++d) {
    if (d != axis && shape[d] > x.shape()[d]) return Refuse("axis ", d, " has too many indices");
  }
  NEREID_ASSIGN_OR_RETURN(std::vector<int64_t> places, call.Integers(1));
  const int64_t extent = x.shape()[axis];
  for (int64_t& place : places) {
    if (place < -extent || place >= extent) return Refuse("index ", place, " lies outside");
    if (place < 0) place += extent;
  }
  Strides strides = ContiguousStrides(x.shape());
  const int64_t step = strides[axis];
  strides[axis] = 0;
  ForEachOffset<1>(shape, {strides}, [&](int64_t i, const auto& at) {
    int64_t& place = places[static_cast<size_t>(i)];
    place = at[0] + place * step;
  });
  return ScatterTo(x, call.In(2), places, combine);
}

Results ScatterNd(const Call& call) {
  const HostTensor& x = call.In(0);
  const Shape& at = call.ShapeOf(1);
  NEREID_ASSIGN_OR_RETURN(const Combine combine, CombineOf(call.node));
  if (at.empty() || at.back() < 0 || at.back() > static_cast<int64_t>(x.shape().size())) {
    return Refuse("indices have the shape ", ShapeToString(at));
  }
  const auto depth = static_cast<size_t>(at.back());
  Shape expected(at.begin(), at.end() - 1);
  const int64_t tuples = Product(expected);
  const int64_t run = Product(absl::Span<const int64_t>(x.shape()).subspan(depth));
  expected.insert(expected.end(), x.shape().begin() + at.back(), x.shape().end());
  if (call.ShapeOf(2) != expected) {
    return Refuse("updates have the shape ", ShapeToString(call.ShapeOf(2)));
  }
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> indices, call.Integers(1));
  const Strides strides = ContiguousStrides(x.shape());
  std::vector<int64_t> places;
  places.reserve(static_cast<size_t>(tuples * run));
  for (size_t tuple = 0; tuple < static_cast<size_t>(tuples); ++tuple) {
    int64_t base = 0;
    for (size_t d = 0; d < depth; ++d) {
      const int64_t extent = x.shape()[d];
      const int64_t index = indices[tuple * depth + d];
      if (index < -extent || index >= extent) return Refuse("index ", index, " lies outside");
      base += (index < 0 ? index + extent : index) * strides[d];
    }
    for (int64_t i = 0; i < run; ++i) places.push_back(base + i);
  }
  return ScatterTo(x, call.In(2), places, combine);
}

// Writes into a cache along `axis`, each sequence of the batch from a position of its own.
Results TensorScatter(const Call& call) {
  const HostTensor& cache = call.In(0);
  const Shape& shape = call.ShapeOf(1);
  const size_t rank = cache.shape().size();
  NEREID_ASSIGN_OR_RETURN(const size_t axis, AxisOf(call.node.Int("axis", -2), rank));
  Shape expected = cache.shape();
  if (axis == 0 || shape.size() != rank) return Refuse("the update has another rank");
  expected[axis] = shape[axis];
  if (shape != expected) return Refuse("the update has the shape ", ShapeToString(shape));
  std::vector<int64_t> starts(static_cast<size_t>(shape[0]), 0);
  if (call.Has(2)) {
    NEREID_ASSIGN_OR_RETURN(starts, call.Integers(2));
  }
  if (static_cast<int64_t>(starts.size()) != shape[0]) return Refuse("write_indices do not fit");
  const int64_t extent = cache.shape()[axis];
  const bool circular = call.node.String("mode", "linear") == "circular";
  for (const int64_t start : starts) {
    if (start < 0 || start > kMaxElements || (!circular && start + shape[axis] > extent)) {
      return Refuse("a write index is ", start);
    }
  }
  if (extent == 0) return One(cache);
  Strides strides = ContiguousStrides(cache.shape());
  std::vector<int64_t> places(static_cast<size_t>(Product(shape)));
  ForEachIndex(shape, [&](int64_t i, const Strides& index) {
    int64_t place = 0;
    for (size_t d = 0; d < rank; ++d) {
      const int64_t at =
          d == axis ? (starts[static_cast<size_t>(index[0])] + index[d]) % extent : index[d];
      place += at * strides[d];
    }
    places[static_cast<size_t>(i)] = place;
  });
  return ScatterTo(cache, call.In(1), places, Combine::kReplace);
}

constexpr OperatorRow kOperators[] = {
    {"ScatterElements", ScatterElements, 3, Accepts::kAnything},
    {"ScatterND", ScatterNd, 3, Accepts::kAnything},
    {"TensorScatter", TensorScatter, 2, Accepts::kAnything},
};

}  // namespace

absl::Span<const OperatorRow> ScatterOperators() { return kOperators; }

}  // namespace nereid::engine
