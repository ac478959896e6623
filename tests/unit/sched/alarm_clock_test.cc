#include "sched/alarm_clock.h"

#include <gtest/gtest.h>

#include <future>
#include <vector>

namespace nereid {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(AlarmClockTest, RingsAtItsTimeAndNotBefore) {
  AlarmClock clock;
  std::promise<TimePoint> rang;
  AlarmClock::Alarm alarm(&clock, [&] { rang.set_value(Clock::now()); });
  const TimePoint when = Clock::now() + milliseconds(5);
  alarm.SetNoLaterThan(when);
  EXPECT_GE(rang.get_future().get(), when);
}

TEST(AlarmClockTest, TheEarliestTimeCountsAndRingsOnce) {
  AlarmClock clock;
  std::promise<void> rang;
  AlarmClock::Alarm alarm(&clock, [&] { rang.set_value(); });  // a second ring would throw
  alarm.SetNoLaterThan(Clock::now() + hours(1));
  alarm.SetNoLaterThan(Clock::now());
  rang.get_future().wait();
  // What is set after it has rung is a new time.
  alarm.SetNoLaterThan(Clock::now() + hours(1));
}

TEST(AlarmClockTest, AlarmsRingInTheOrderOfTheirTimes) {
  AlarmClock clock;
  std::vector<int> order;
  std::promise<void> last_rang;
  AlarmClock::Alarm later(&clock, [&] {
    order.push_back(2);
    last_rang.set_value();
  });
  AlarmClock::Alarm sooner(&clock, [&] { order.push_back(1); });
  const TimePoint now = Clock::now();
  later.SetNoLaterThan(now + milliseconds(10));
  sooner.SetNoLaterThan(now + milliseconds(5));
  last_rang.get_future().wait();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(AlarmClockTest, MayBeSetAgainByItsOwnRing) {
  AlarmClock clock;
  int rings = 0;
  std::promise<void> done;
  AlarmClock::Alarm* self = nullptr;
  AlarmClock::Alarm alarm(&clock, [&] {
    if (++rings == 3) return done.set_value();
    self->SetNoLaterThan(Clock::now());
  });
  self = &alarm;
  alarm.SetNoLaterThan(Clock::now());
  done.get_future().wait();
  EXPECT_EQ(rings, 3);
}

TEST(AlarmClockTest, AnAlarmThatGoesWaitsForItsRingAndIsSilentAfterwards) {
  AlarmClock clock;
  std::promise<void> began, may_end;
  bool has_ended = false;
  auto alarm = std::make_unique<AlarmClock::Alarm>(&clock, [&] {
    began.set_value();
    may_end.get_future().wait();
    has_ended = true;
  });
  alarm->SetNoLaterThan(Clock::now());
  began.get_future().wait();
  alarm->SetNoLaterThan(Clock::now());  // would ring again, and throw
  std::future<void> gone = std::async(std::launch::async, [&] { alarm.reset(); });
  EXPECT_EQ(gone.wait_for(milliseconds(20)), std::future_status::timeout);
  may_end.set_value();
  gone.wait();
  EXPECT_TRUE(has_ended);
}

}  // namespace
}  // namespace nereid
