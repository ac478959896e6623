#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/types/span.h"
#include "common/clock.h"

namespace nereid {

// Quantiles of the values seen within the last minute or so, at a few nanoseconds a value: they are
// counted in buckets whose width grows with the value, 64 to each doubling, so that a quantile is
// within 0.8 % of a value that has exactly that rank. Ranks themselves are exact, better than any
// error that the configuration allows.
//
// Values are not negative; the unit is the caller's. Below 2^-10 they count as 0, above 2^42 as
// 2^42. Any thread.
class SlidingQuantiles {
 public:
  // Values are forgotten kSliceLength at a time, kSlices slices after they came.
  static constexpr int kSlices = 6;
  static constexpr std::chrono::seconds kSliceLength{10};

  // `clock` outlives the object.
  explicit SlidingQuantiles(const TimeSource& clock = TimeSource::Real());

  void Observe(double value) noexcept;

  // Of all values ever seen.
  struct Totals {
    uint64_t count = 0;
    double sum = 0;
  };
  Totals totals() const;

  // The value at each of `quantiles` (0 to 1); NaN while no value is left.
  std::vector<double> At(absl::Span<const double> quantiles) const;

 private:
  static constexpr int kBucketsPerDoubling = 64;
  static constexpr int kLowestExponent = -10;
  static constexpr int kHighestExponent = 42;
  // One more at each end, for what lies outside.
  static constexpr int kBuckets = (kHighestExponent - kLowestExponent) * kBucketsPerDoubling + 2;
  using Counts = std::array<uint32_t, kBuckets>;
  struct Slice {
    int64_t number = -1;  // time divided by kSliceLength; -1: never used
    uint64_t total = 0;
    std::unique_ptr<Counts> counts;  // made when the slice is used first
  };

  static int BucketOf(double value);
  static double ValueOf(int bucket);
  int64_t SliceNumber() const;
  Slice& CurrentSlice();

  const TimeSource& clock_;
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::array<Slice, kSlices> slices_;
  Totals totals_;
};

}  // namespace nereid
