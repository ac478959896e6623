#include "backends/cuda/exec/buckets.h"

namespace nereid::engine {

std::vector<int64_t> BatchBuckets(int64_t max_batch) {
  constexpr int64_t kFine = 16;
  std::vector<int64_t> buckets;
  for (int64_t bucket = 1; bucket < max_batch; bucket *= 2) {
    buckets.push_back(bucket);
    const int64_t between = bucket + bucket / 2;
    if (bucket >= kFine && between < max_batch) buckets.push_back(between);
  }
  if (max_batch > 0) buckets.push_back(max_batch);
  return buckets;
}

std::vector<int64_t> BucketsFor(int64_t batch, int64_t max_batch) {
  std::vector<int64_t> buckets = BatchBuckets(max_batch);
  std::erase_if(buckets, [&](int64_t bucket) { return bucket < batch; });
  if (buckets.empty()) buckets.push_back(batch);
  return buckets;
}

}  // namespace nereid::engine
