#include "repository/reaper.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "support/fake_loader.h"

namespace nereid {
namespace {

class ReaperTest : public ::testing::Test {
 protected:
  std::shared_ptr<Servable> Make() {
    return std::make_shared<testing::RecordedServable>(record_, testing::RequestFor("m", 1), 1);
  }
  const std::shared_ptr<testing::LoadRecord> record_ = std::make_shared<testing::LoadRecord>();
};

TEST_F(ReaperTest, DestroysOnAThreadOfItsOwnAfterTheLastHandle) {
  Reaper reaper;
  ServableHandle handle = reaper.Wrap(Make(), [](std::shared_ptr<Servable>) {});
  ServableHandle second = handle;
  handle.reset();
  EXPECT_EQ(record_->alive(), 1);
  second.reset();
  record_->WaitUntilAlive(0);
  EXPECT_NE(record_->destroyed_on(), std::this_thread::get_id());
}

TEST_F(ReaperTest, DestructionOfTheReaperFinishesWhatWasHandedOver) {
  {
    Reaper reaper;
    for (int i = 0; i < 3; ++i) reaper.Wrap(Make(), [](std::shared_ptr<Servable>) {}).reset();
  }
  EXPECT_EQ(record_->alive(), 0);
}

TEST_F(ReaperTest, AHandleMayOutliveTheReaper) {
  ServableHandle handle;
  {
    Reaper reaper;
    handle = reaper.Wrap(Make(), [](std::shared_ptr<Servable>) {});
  }
  EXPECT_EQ(record_->alive(), 1);
  handle.reset();
  record_->WaitUntilAlive(0);
  EXPECT_NE(record_->destroyed_on(), std::this_thread::get_id());
}

}  // namespace
}  // namespace nereid
