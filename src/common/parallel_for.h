#pragma once

#include <cstddef>
#include <functional>

namespace nereid {

// Calls work(0) … work(count - 1), each once, on the calling thread and as many others as there are
// cores, at most `max_threads` in all; returns when all calls have. `work` must not throw.
void ParallelFor(size_t count, const std::function<void(size_t)>& work, size_t max_threads = 16);

}  // namespace nereid
