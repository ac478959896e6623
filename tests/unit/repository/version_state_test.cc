#include "repository/version_state.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

namespace nereid {
namespace {

using enum VersionState;
using enum VersionEvent;

TEST(VersionStateTest, OnlyTheDrawnTransitionsAreLegal) {
  const std::map<std::pair<VersionState, VersionEvent>, VersionState> legal = {
      {{VersionState::kUnknown, kLoad}, kLoading},
      {{kLoading, kLoaded}, kReady},
      {{kLoading, kFailed}, kUnavailable},
      {{kReady, kLoad}, kReady},
      {{kReady, kLoaded}, kReady},
      {{kReady, kFailed}, kReady},
      {{kReady, kUnload}, kUnloading},
      {{kUnloading, kLoad}, kLoading},
      {{kUnloading, kReleased}, kUnavailable},
      {{kUnavailable, kLoad}, kLoading},
  };
  for (int s = 0; s < kVersionStateCount; ++s) {
    for (int e = 0; e < kVersionEventCount; ++e) {
      const auto state = static_cast<VersionState>(s);
      const auto event = static_cast<VersionEvent>(e);
      const auto expected = legal.find({state, event});
      const std::optional<VersionState> next = NextState(state, event);
      EXPECT_EQ(next.has_value(), expected != legal.end()) << s << " " << e;
      if (next && expected != legal.end()) {
        EXPECT_EQ(*next, expected->second) << s << " " << e;
      }
    }
  }
}

TEST(VersionStateTest, NamesAreThoseOfTheIndex) {
  EXPECT_EQ(VersionStateName(VersionState::kUnknown), "UNKNOWN");
  EXPECT_EQ(VersionStateName(kLoading), "LOADING");
  EXPECT_EQ(VersionStateName(kReady), "READY");
  EXPECT_EQ(VersionStateName(kUnloading), "UNLOADING");
  EXPECT_EQ(VersionStateName(kUnavailable), "UNAVAILABLE");
}

}  // namespace
}  // namespace nereid
