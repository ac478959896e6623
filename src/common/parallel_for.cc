#include "common/parallel_for.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

namespace nereid {

void ParallelFor(size_t count, const std::function<void(size_t)>& work, size_t max_threads) {
  std::atomic<size_t> next{0};
  const auto take = [&] {
    for (size_t i = next++; i < count; i = next++) work(i);
  };
  const size_t cores = std::max<size_t>(std::thread::hardware_concurrency(), 1);
  std::vector<std::thread> helpers;
  try {
    for (size_t i = 1; i < std::min({cores, count, max_threads}); ++i) helpers.emplace_back(take);
  } catch (const std::system_error&) {  // no more threads: those that are there do it
  }
  take();
  for (std::thread& helper : helpers) helper.join();
}

}  // namespace nereid
