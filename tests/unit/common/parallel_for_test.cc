#include "common/parallel_for.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace nereid {
namespace {

TEST(ParallelForTest, DoesEachPieceOnce) {
  for (const size_t count : {0, 1, 2, 1000}) {
    std::vector<std::atomic<int>> calls(count);
    ParallelFor(count, [&](size_t i) { ++calls[i]; });
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(calls[i], 1) << i << " of " << count;
  }
}

TEST(ParallelForTest, OneThreadIsTheCaller) {
  const auto caller = std::this_thread::get_id();
  ParallelFor(
      10, [&](size_t) { EXPECT_EQ(std::this_thread::get_id(), caller); }, 1);
}

}  // namespace
}  // namespace nereid
