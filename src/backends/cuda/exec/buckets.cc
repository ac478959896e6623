#include "backends/cuda/exec/buckets.h"

namespace nereid::engine {

std::vector<int64_t> BatchBuckets(int64_t max_batch) {
  std::vector<int64_t> buckets;
  for (int64_t bucket = 1; bucket < max_batch; bucket *= 2) buckets.push_back(bucket);
  if (max_batch > 0) buckets.push_back(max_batch);
  return buckets;
}

int64_t BucketFor(int64_t batch, int64_t max_batch) {
  for (const int64_t bucket : BatchBuckets(max_batch)) {
    if (bucket >= batch) return bucket;
  }
  return batch;
}

}  // namespace nereid::engine
