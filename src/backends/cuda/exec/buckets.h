#pragma once

#include <cstdint>
#include <vector>

namespace nereid::engine {

// The batch extents that programs are made for: 1, 2, 4, 8, 16, 24, 32, 48, 64, … and `max_batch`
// itself. From 16 on, where a row costs as much as the one before, no more than a third is padding.
std::vector<int64_t> BatchBuckets(int64_t max_batch);

// Those of them that hold `batch`, the smallest first; `batch` itself beyond `max_batch`.
std::vector<int64_t> BucketsFor(int64_t batch, int64_t max_batch);

}  // namespace nereid::engine
