#include <algorithm>
#include <numeric>

#include "backends/cuda/reference/elements.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// Operators that move elements by rule.

Results Transpose(const Call& call) {
  const HostTensor& x = call.In(0);
  const size_t rank = x.shape().size();
  std::vector<int64_t> order = call.node.Ints("perm");
  if (order.empty()) {
    for (size_t d = rank; d-- > 0;) order.push_back(static_cast<int64_t>(d));
  }
  NEREID_ASSIGN_OR_RETURN(const std::vector<size_t> axes, AxesOf(order, rank));
  if (axes.size() != rank) return Refuse("perm has ", axes.size(), " elements");
  const Strides dense = ContiguousStrides(x.shape());
  Shape shape;
  Strides strides;
  for (const size_t axis : axes) {
    shape.push_back(x.shape()[axis]);
    strides.push_back(dense[axis]);
  }
  return One(CopyStrided(x, 0, shape, strides));
}

// Where a slice of an axis begins and how many elements it has.
struct Slicing {
  int64_t start = 0;
  int64_t count = 0;
};

Slicing SliceAxis(int64_t extent, int64_t start, int64_t end, int64_t step) {
  if (start < 0) start += extent;
  if (end < 0) end += extent;
  if (step > 0) {
    start = std::clamp<int64_t>(start, 0, extent);
    end = std::clamp<int64_t>(end, 0, extent);
    return {start, end > start ? (end - start - 1) / step + 1 : 0};
  }
  start = std::clamp<int64_t>(start, -1, extent - 1);
  end = std::clamp<int64_t>(end, -1, extent - 1);
  return {start, start > end ? (start - end - 1) / -step + 1 : 0};
}

Results Slice(const Call& call) {
  const HostTensor& x = call.In(0);
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> starts, call.Integers(1));
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> ends, call.Integers(2));
  std::vector<int64_t> axes(starts.size());
  std::iota(axes.begin(), axes.end(), 0);
  if (call.Has(3)) {
    NEREID_ASSIGN_OR_RETURN(axes, call.Integers(3));
  }
  std::vector<int64_t> steps(starts.size(), 1);
  if (call.Has(4)) {
    NEREID_ASSIGN_OR_RETURN(steps, call.Integers(4));
  }
  if (ends.size() != starts.size() || axes.size() != starts.size() ||
      steps.size() != starts.size()) {
    return Refuse("starts, ends, axes and steps differ in length");
  }
  NEREID_ASSIGN_OR_RETURN(const std::vector<size_t> at, AxesOf(axes, x.shape().size()));
  Shape shape = x.shape();
  Strides strides = ContiguousStrides(x.shape());
  int64_t offset = 0;
  for (size_t i = 0; i < at.size(); ++i) {
    if (steps[i] == 0) return Refuse("a step is 0");
    const int64_t extent = x.shape()[at[i]];
    // A longer step than the axis takes one element all the same.
    const int64_t step = std::clamp<int64_t>(steps[i], -extent - 1, extent + 1);
    const Slicing slice = SliceAxis(extent, starts[i], ends[i], step);
    shape[at[i]] = slice.count;
    if (slice.count > 0) offset += slice.start * strides[at[i]];
    strides[at[i]] *= step;
  }
  if (Product(shape) == 0) offset = 0;
  return One(CopyStrided(x, offset, shape, strides));
}

absl::StatusOr<std::vector<int64_t>> SplitExtents(const Call& call, int64_t extent) {
  if (call.Has(1)) {
    NEREID_ASSIGN_OR_RETURN(std::vector<int64_t> extents, call.Integers(1));
    int64_t rest = extent;
    for (const int64_t part : extents) {
      if (part < 0 || part > rest) return Refuse("a part has extent ", part);
      rest -= part;
    }
    if (rest != 0) return Refuse("the parts leave out ", rest);
    return extents;
  }
  const auto parts = call.node.Int("num_outputs", static_cast<int64_t>(call.node.outputs.size()));
  if (parts < 1 || static_cast<size_t>(parts) != call.node.outputs.size()) {
    return Refuse("num_outputs is ", parts);
  }
  const int64_t size = (extent + parts - 1) / parts;
  std::vector<int64_t> extents(static_cast<size_t>(parts));
  for (int64_t& part : extents) {
    part = std::min(size, extent);
    extent -= part;
  }
  return extents;
}

Results Split(const Call& call) {
  const HostTensor& x = call.In(0);
  NEREID_ASSIGN_OR_RETURN(const size_t axis, AxisOf(call.node.Int("axis", 0), x.shape().size()));
  NEREID_ASSIGN_OR_RETURN(const auto extents, SplitExtents(call, x.shape()[axis]));
  const Strides strides = ContiguousStrides(x.shape());
  std::vector<HostTensor> parts;
  int64_t first = 0;
  for (const int64_t extent : extents) {
    Shape shape = x.shape();
    shape[axis] = extent;
    parts.push_back(CopyStrided(x, first * strides[axis], shape, strides));
    first += extent;
  }
  return parts;
}

Results Concat(const Call& call) {
  const HostTensor& lead = call.In(0);
  NEREID_ASSIGN_OR_RETURN(const size_t axis, AxisOf(call.node.Int("axis", 0), lead.shape().size()));
  Shape shape = lead.shape();
  shape[axis] = 0;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    if (!call.Has(i) || call.In(i).type() != lead.type() ||
        call.ShapeOf(i).size() != shape.size()) {
      return Refuse("input ", i, " has not the type and rank of the first");
    }
    Shape other = call.ShapeOf(i);
    shape[axis] += other[axis];
    other[axis] = lead.shape()[axis];
    if (other != lead.shape()) {
      return Refuse("input ", i, " has the shape ", ShapeToString(call.ShapeOf(i)));
    }
  }
  NEREID_RETURN_IF_ERROR(CountOf(shape).status());
  HostTensor result(lead.type(), shape);
  const AxisView view = ViewAlong(shape, axis);
  VisitStorage(lead.type(), [&]<typename S>() {
    S* to = MutableElements<S>(result);
    for (const HostTensor* input : call.inputs) {
      const S* from = Elements<S>(*input);
      const int64_t run = input->shape()[axis] * view.inner;
      for (int64_t o = 0; o < view.outer; ++o) {
        std::copy_n(from + o * run, run, to + o * view.extent * view.inner);
      }
      to += run;
    }
  });
  return One(std::move(result));
}

Results Expand(const Call& call) {
  const HostTensor& x = call.In(0);
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> target, call.Integers(1));
  NEREID_ASSIGN_OR_RETURN(const Shape shape, BroadcastShapes(x.shape(), target));
  NEREID_RETURN_IF_ERROR(CountOf(shape).status());
  return One(CopyStrided(x, 0, shape, BroadcastStrides(x.shape(), shape)));
}

Results Tile(const Call& call) {
  const HostTensor& x = call.In(0);
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> repeats, call.Integers(1));
  if (repeats.size() != x.shape().size())
    return Refuse("repeats has ", repeats.size(), " elements");
  Shape shape = x.shape();
  for (size_t d = 0; d < shape.size(); ++d) {
    if (repeats[d] < 0 || repeats[d] > kMaxElements) return Refuse("an axis repeats ", repeats[d]);
    shape[d] *= repeats[d];
  }
  NEREID_RETURN_IF_ERROR(CountOf(shape).status());
  std::vector<std::vector<int64_t>> along(shape.size());
  for (size_t d = 0; d < shape.size(); ++d) {
    for (int64_t i = 0; i < shape[d]; ++i) along[d].push_back(i % x.shape()[d]);
  }
  if (Product(shape) == 0) return One(HostTensor(x.type(), shape));
  return One(TakeGrid(x, along));
}

// Blocks of pixels between depth and space: `axes` lists how [a, b, c, d, e, f] is permuted.
Results Rearrange(const HostTensor& x, const Shape& parts, const std::array<size_t, 6>& axes,
                  const Shape& shape) {
  const Strides dense = ContiguousStrides(parts);
  Shape permuted;
  Strides strides;
  for (const size_t axis : axes) {
    permuted.push_back(parts[axis]);
    strides.push_back(dense[axis]);
  }
  return One(CopyStrided(x, 0, permuted, strides).Reshaped(shape));
}

absl::StatusOr<int64_t> BlockSize(const Call& call) {
  const int64_t block = call.node.Int("blocksize", 0);
  if (call.ShapeOf(0).size() != 4) return Refuse("the input is not of rank 4");
  if (block < 1 || block > (1 << 15)) return Refuse("blocksize is ", block);
  return block;
}

Results DepthToSpace(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const int64_t b, BlockSize(call));
  const Shape& x = call.ShapeOf(0);
  if (x[1] % (b * b) != 0) return Refuse(x[1], " channels do not make blocks of ", b);
  const int64_t depth = x[1] / (b * b);
  const Shape shape = {x[0], depth, x[2] * b, x[3] * b};
  if (call.node.String("mode", "DCR") == "CRD") {
    return Rearrange(call.In(0), {x[0], depth, b, b, x[2], x[3]}, {0, 1, 4, 2, 5, 3}, shape);
  }
  return Rearrange(call.In(0), {x[0], b, b, depth, x[2], x[3]}, {0, 3, 4, 1, 5, 2}, shape);
}

Results SpaceToDepth(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const int64_t b, BlockSize(call));
  const Shape& x = call.ShapeOf(0);
  if (x[2] % b != 0 || x[3] % b != 0) return Refuse("the image does not divide by ", b);
  const Shape shape = {x[0], x[1] * b * b, x[2] / b, x[3] / b};
  if (call.node.String("mode", "DCR") == "CRD") {
    return Rearrange(call.In(0), {x[0], x[1], x[2] / b, b, x[3] / b, b}, {0, 1, 3, 5, 2, 4}, shape);
  }
  return Rearrange(call.In(0), {x[0], x[1], x[2] / b, b, x[3] / b, b}, {0, 3, 5, 1, 2, 4}, shape);
}

Results Trilu(const Call& call) {
  const HostTensor& x = call.In(0);
  const size_t rank = x.shape().size();
  if (rank < 2) return Refuse("the input is no matrix");
  NEREID_ASSIGN_OR_RETURN(const int64_t given, call.Integer(1, 0));
  const int64_t k = std::clamp<int64_t>(given, -kMaxElements, kMaxElements);
  const bool upper = call.node.Int("upper", 1) != 0;
  std::vector<int64_t> from(static_cast<size_t>(x.element_count()));
  ForEachIndex(x.shape(), [&](int64_t i, const Strides& index) {
    const int64_t above = index[rank - 1] - index[rank - 2] - k;
    from[static_cast<size_t>(i)] = (upper ? above >= 0 : above <= 0) ? i : -1;
  });
  return One(Take(x, x.shape(), from));
}

Results ReverseSequence(const Call& call) {
  const HostTensor& x = call.In(0);
  const size_t rank = x.shape().size();
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> lengths, call.Integers(1));
  NEREID_ASSIGN_OR_RETURN(const size_t batch, AxisOf(call.node.Int("batch_axis", 1), rank));
  NEREID_ASSIGN_OR_RETURN(const size_t time, AxisOf(call.node.Int("time_axis", 0), rank));
  if (batch == time || static_cast<int64_t>(lengths.size()) != x.shape()[batch]) {
    return Refuse("the lengths do not fit the batch axis");
  }
  for (const int64_t length : lengths) {
    if (length < 0 || length > x.shape()[time]) return Refuse("a length is ", length);
  }
  const Strides strides = ContiguousStrides(x.shape());
  std::vector<int64_t> from(static_cast<size_t>(x.element_count()));
  ForEachIndex(x.shape(), [&](int64_t i, const Strides& index) {
    const int64_t length = lengths[static_cast<size_t>(index[batch])];
    const int64_t t = index[time];
    const int64_t shift = t < length ? length - 1 - 2 * t : 0;
    from[static_cast<size_t>(i)] = i + shift * strides[time];
  });
  return One(Take(x, x.shape(), from));
}

constexpr auto kAnything = Accepts::kAnything;

constexpr OperatorRow kOperators[] = {
    {"Concat", Concat, 1, kAnything},       {"DepthToSpace", DepthToSpace, 1, kAnything},
    {"Expand", Expand, 2, kAnything},       {"ReverseSequence", ReverseSequence, 2, kAnything},
    {"Slice", Slice, 3, kAnything},         {"SpaceToDepth", SpaceToDepth, 1, kAnything},
    {"Split", Split, 1, kAnything},         {"Tile", Tile, 2, kAnything},
    {"Transpose", Transpose, 1, kAnything}, {"Trilu", Trilu, 1, kAnything},
};

}  // namespace

absl::Span<const OperatorRow> LayoutOperators() { return kOperators; }

}  // namespace nereid::engine
