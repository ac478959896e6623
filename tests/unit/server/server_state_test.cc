#include "server/server_state.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

namespace nereid {
namespace {

using enum ServerState;

TEST(ServerStateTest, OnlyTheDrawnTransitionsAreLegal) {
  const std::map<std::pair<ServerState, ServerEvent>, ServerState> legal = {
      {{kInitializing, ServerEvent::kInitialized}, kReady},
      {{kInitializing, ServerEvent::kFailed}, kFailedToInitialize},
      {{kInitializing, ServerEvent::kStop}, kExiting},
      {{kReady, ServerEvent::kStop}, kExiting},
      {{kFailedToInitialize, ServerEvent::kStop}, kExiting},
      {{kExiting, ServerEvent::kStopped}, ServerState::kStopped},
  };
  for (int s = 0; s < kServerStateCount; ++s) {
    for (int e = 0; e < kServerEventCount; ++e) {
      const auto state = static_cast<ServerState>(s);
      const auto event = static_cast<ServerEvent>(e);
      const auto expected = legal.find({state, event});
      const std::optional<ServerState> next = NextState(state, event);
      ASSERT_EQ(next.has_value(), expected != legal.end()) << s << " " << e;
      if (next) {
        EXPECT_EQ(*next, expected->second) << s << " " << e;
      }
    }
  }
}

TEST(ServerStateTest, NamesAreDistinct) {
  EXPECT_EQ(ServerStateName(kInitializing), "INITIALIZING");
  EXPECT_EQ(ServerStateName(kReady), "READY");
  EXPECT_EQ(ServerStateName(kFailedToInitialize), "FAILED_TO_INITIALIZE");
  EXPECT_EQ(ServerStateName(kExiting), "EXITING");
  EXPECT_EQ(ServerStateName(ServerState::kStopped), "STOPPED");
}

}  // namespace
}  // namespace nereid
