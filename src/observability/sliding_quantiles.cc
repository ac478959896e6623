#include "observability/sliding_quantiles.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace nereid {

SlidingQuantiles::SlidingQuantiles(const TimeSource& clock) : clock_(clock) {}

int SlidingQuantiles::BucketOf(double value) {
  if (!(value >= std::ldexp(1.0, kLowestExponent))) return 0;  // NaN goes here, too
  if (value >= std::ldexp(1.0, kHighestExponent)) return kBuckets - 1;
  int exponent;
  const double fraction = std::frexp(value, &exponent);  // in [0.5, 1)
  const int within = static_cast<int>((fraction * 2 - 1) * kBucketsPerDoubling);
  return 1 + (exponent - 1 - kLowestExponent) * kBucketsPerDoubling + within;
}

double SlidingQuantiles::ValueOf(int bucket) {
  if (bucket == 0) return 0;
  if (bucket == kBuckets - 1) return std::ldexp(1.0, kHighestExponent);
  const int exponent = (bucket - 1) / kBucketsPerDoubling + kLowestExponent;
  const int within = (bucket - 1) % kBucketsPerDoubling;
  return std::ldexp(1 + (within + 0.5) / kBucketsPerDoubling, exponent);
}

int64_t SlidingQuantiles::SliceNumber() const {
  return clock_.Now().time_since_epoch() / kSliceLength;
}

SlidingQuantiles::Slice& SlidingQuantiles::CurrentSlice() {
  const int64_t number = SliceNumber();
  Slice& slice = slices_[static_cast<size_t>(number % kSlices)];
  if (slice.number != number) {
    if (slice.counts == nullptr) slice.counts = std::make_unique<Counts>();
    slice.counts->fill(0);
    slice.total = 0;
    slice.number = number;
  }
  return slice;
}

void SlidingQuantiles::Observe(double value) noexcept {
  const auto bucket = static_cast<size_t>(BucketOf(value));
  const std::lock_guard<std::mutex> lock(mutex_);
  Slice& slice = CurrentSlice();
  ++(*slice.counts)[bucket];
  ++slice.total;
  ++totals_.count;
  totals_.sum += value;
}

SlidingQuantiles::Totals SlidingQuantiles::totals() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return totals_;
}

std::vector<double> SlidingQuantiles::At(absl::Span<const double> quantiles) const {
  std::vector<uint64_t> counts(kBuckets);
  uint64_t total = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const int64_t oldest = SliceNumber() - kSlices + 1;
    for (const Slice& slice : slices_) {
      if (slice.counts == nullptr || slice.number < oldest) continue;
      total += slice.total;
      for (size_t i = 0; i < counts.size(); ++i) counts[i] += (*slice.counts)[i];
    }
  }
  std::vector<double> values;
  for (const double quantile : quantiles) {
    const auto wanted = static_cast<uint64_t>(std::ceil(quantile * static_cast<double>(total)));
    const uint64_t rank = std::max<uint64_t>(1, wanted);
    uint64_t seen = 0;
    double value = std::numeric_limits<double>::quiet_NaN();
    for (size_t i = 0; total > 0 && i < counts.size(); ++i) {
      seen += counts[i];
      if (seen < rank) continue;
      value = ValueOf(static_cast<int>(i));
      break;
    }
    values.push_back(value);
  }
  return values;
}

}  // namespace nereid
