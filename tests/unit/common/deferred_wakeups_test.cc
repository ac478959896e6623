#include "common/deferred_wakeups.h"

#include <gtest/gtest.h>

namespace nereid {
namespace {

struct Counter : Wakeable {
  void Wake() noexcept override { ++count; }
  int count = 0;
};

TEST(DeferredWakeupsTest, WakesAtOnceWithoutAScope) {
  auto counter = std::make_shared<Counter>();
  DeferredWakeups::WakeLater(counter);
  EXPECT_EQ(counter->count, 1);
}

TEST(DeferredWakeupsTest, WakesOnceWhenTheOutermostScopeCloses) {
  auto a = std::make_shared<Counter>();
  auto b = std::make_shared<Counter>();
  {
    DeferredWakeups::Scope outer;
    for (int i = 0; i < 5; ++i) {
      DeferredWakeups::Scope inner;
      DeferredWakeups::WakeLater(a);
    }
    DeferredWakeups::WakeLater(b);
    EXPECT_EQ(a->count + b->count, 0);
  }
  EXPECT_EQ(a->count, 1);
  EXPECT_EQ(b->count, 1);
}

TEST(DeferredWakeupsTest, AWakeUpCausedByAWakeUpIsNotLost) {
  struct Chain : Wakeable {
    void Wake() noexcept override { DeferredWakeups::WakeLater(next); }
    std::shared_ptr<Wakeable> next;
  };
  auto last = std::make_shared<Counter>();
  auto chain = std::make_shared<Chain>();
  chain->next = last;
  {
    DeferredWakeups::Scope scope;
    DeferredWakeups::WakeLater(chain);
  }
  EXPECT_EQ(last->count, 1);
}

}  // namespace
}  // namespace nereid
