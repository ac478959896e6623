#include "cli/failure_guard.h"

#include <gtest/gtest.h>

namespace nereid {
namespace {

using std::chrono::seconds;
using Time = std::chrono::steady_clock::time_point;

const Time kStart{seconds(1000)};

TEST(FailureGuardTest, TheLastOfSoManyInAMinuteIsOneTooMany) {
  std::vector<int64_t> failures;
  EXPECT_TRUE(MayRestart(kStart, 3, &failures));
  EXPECT_TRUE(MayRestart(kStart + seconds(30), 3, &failures));
  EXPECT_FALSE(MayRestart(kStart + seconds(59), 3, &failures));
}

TEST(FailureGuardTest, OldFailuresAreForgotten) {
  std::vector<int64_t> failures;
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(MayRestart(kStart + i * seconds(31), 3, &failures)) << i;
    EXPECT_LE(failures.size(), 2u);
  }
}

TEST(FailureGuardTest, ALimitOfOneAllowsNone) {
  std::vector<int64_t> failures;
  EXPECT_FALSE(MayRestart(kStart, 1, &failures));
}

}  // namespace
}  // namespace nereid
