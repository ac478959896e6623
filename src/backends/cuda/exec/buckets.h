#pragma once

#include <cstdint>
#include <vector>

namespace nereid::engine {

// The batch extents that programs are made for: 1, 2, 4, … and `max_batch` itself.
std::vector<int64_t> BatchBuckets(int64_t max_batch);

// Those of them that hold `batch`, the smallest first; `batch` itself beyond `max_batch`.
std::vector<int64_t> BucketsFor(int64_t batch, int64_t max_batch);

}  // namespace nereid::engine
