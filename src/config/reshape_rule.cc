#include "config/reshape_rule.h"

#include "absl/container/inlined_vector.h"

namespace nereid {
namespace {

using Runs = absl::InlinedVector<int64_t, 4>;

// Products of the extents before, between and after the -1s; nothing on overflow.
std::optional<Runs> FixedRuns(absl::Span<const int64_t> shape) {
  Runs runs = {1};
  for (const int64_t extent : shape) {
    if (extent == -1) {
      runs.push_back(1);
    } else if (__builtin_mul_overflow(runs.back(), extent, &runs.back())) {
      return std::nullopt;
    }
  }
  return runs;
}

}  // namespace

std::optional<std::string_view> ReshapeMismatch(absl::Span<const int64_t> dims,
                                                absl::Span<const int64_t> reshape) {
  constexpr std::string_view kSize = "has different size for dims and reshape";
  const std::optional<Runs> from = FixedRuns(dims);
  const std::optional<Runs> to = FixedRuns(reshape);
  if (!from || !to) return kSize;
  const bool both_variable = from->size() > 1 && to->size() > 1;
  if (both_variable && from->size() != to->size()) {
    return "has different number of variable-size dimensions for dims and reshape";
  }
  if (*from != *to) return kSize;
  return std::nullopt;
}

}  // namespace nereid
