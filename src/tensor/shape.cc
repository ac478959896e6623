#include "nereid/shape.h"

#include "absl/status/status.h"
#include "absl/strings/str_join.h"
#include "common/strings.h"

namespace nereid {

absl::StatusOr<int64_t> ElementCount(absl::Span<const int64_t> shape) {
  int64_t count = 1;
  bool overflow = false;
  bool empty = false;
  for (int64_t extent : shape) {
    if (extent < 0) {
      return absl::InvalidArgumentError(
          StrCat("shape ", ShapeToString(shape), " has a negative extent"));
    }
    empty = empty || extent == 0;
    // Keep looking after an overflow: a later 0 makes the tensor empty, not too large.
    overflow = overflow || __builtin_mul_overflow(count, extent, &count);
  }
  if (empty) return 0;
  if (overflow) {
    return absl::InvalidArgumentError(
        StrCat("element count of shape ", ShapeToString(shape), " does not fit in 63 bits"));
  }
  return count;
}

absl::StatusOr<int64_t> DenseByteSize(DataType type, absl::Span<const int64_t> shape) {
  const auto element = static_cast<int64_t>(ElementByteSize(type));
  if (element == 0) {
    return absl::InvalidArgumentError(
        StrCat("elements of type ", ProtocolName(type), " have no fixed size"));
  }
  absl::StatusOr<int64_t> count = ElementCount(shape);
  if (!count.ok()) return count;
  int64_t bytes = 0;
  if (__builtin_mul_overflow(*count, element, &bytes)) {
    return absl::InvalidArgumentError(
        StrCat("byte size of shape ", ShapeToString(shape), " does not fit in 63 bits"));
  }
  return bytes;
}

std::string ShapeToString(absl::Span<const int64_t> shape) {
  return StrCat("[", absl::StrJoin(shape, ","), "]");
}

}  // namespace nereid
