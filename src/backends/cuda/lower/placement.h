#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "nereid/data_type.h"
#include "nereid/shape.h"

namespace nereid::engine {

// Index of a block of device memory in a lowered program.
using BufferId = int32_t;
inline constexpr BufferId kNoBuffer = -1;

// Where the elements of a value lie: in which block, from which element on, and how far apart along
// each axis. Views (reshapes, slices, transposes, broadcasts) are placements in the block of
// another value.
struct Placement {
  BufferId buffer = kNoBuffer;
  DataType type = DataType::kInvalid;
  int64_t offset = 0;  // in elements
  Shape shape;
  std::vector<int64_t> strides;  // in elements, parallel to shape
};

std::vector<int64_t> DenseStrides(const Shape& shape);
// Of a tensor [n, channels, pixels…] whose channels are innermost in memory. Rank 3 at least.
std::vector<int64_t> ChannelsLastStrides(const Shape& shape);

// Axes of extent 1 do not count: their strides say nothing.
bool IsDense(const Placement& p);
bool IsChannelsLast(const Placement& p);
bool SameStrides(const Shape& shape, absl::Span<const int64_t> a, absl::Span<const int64_t> b);
// The order of axes, outermost first, in which the placement is dense; nothing when it has gaps or
// repeats elements.
std::optional<std::vector<int64_t>> DenseOrder(const Placement& p);

// The same elements, in order, under another shape of as many; nothing when strides cannot say so.
std::optional<Placement> ViewReshaped(const Placement& p, const Shape& shape);
Placement ViewPermuted(const Placement& p, absl::Span<const int64_t> permutation);
// `count` elements of an axis from `start` on, every `step`-th (which may be negative).
Placement ViewSliced(const Placement& p, size_t axis, int64_t start, int64_t count, int64_t step);
// Broadcast as ONNX does, aligned at the end.
Placement ViewExpanded(const Placement& p, const Shape& shape);

}  // namespace nereid::engine
