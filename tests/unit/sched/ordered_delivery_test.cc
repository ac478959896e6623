#include "sched/ordered_delivery.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <latch>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "unit/sched/sched_test_util.h"

namespace nereid {
namespace {

using testing::MakeRequest;
using testing::TestRequest;

// Requests in line, and the order in which their last answers left.
class OrderedDeliveryTest : public ::testing::Test {
 protected:
  InferRequest& Add() {
    const int number = static_cast<int>(made_.size());
    made_.push_back(MakeRequest({}, [this, number] {
      std::lock_guard<std::mutex> lock(mutex_);
      ended_.push_back(number);
    }));
    delivery_->TakePlace(*made_.back().request);
    return *made_.back().request;
  }
  std::vector<int> ended() {
    std::lock_guard<std::mutex> lock(mutex_);
    return ended_;
  }

  std::mutex mutex_;
  std::vector<int> ended_;  // guarded by mutex_
  std::shared_ptr<OrderedDelivery> delivery_ = std::make_shared<OrderedDelivery>();
  std::vector<TestRequest> made_;
};

TEST_F(OrderedDeliveryTest, HoldsAnswersUntilEarlierRequestsHaveEnded) {
  InferRequest& first = Add();
  InferRequest& second = Add();
  InferRequest& third = Add();
  third.Respond({});
  second.Fail(absl::UnavailableError("no"));
  EXPECT_TRUE(ended().empty());
  first.Respond({});
  EXPECT_EQ(ended(), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(made_[1].record->status(), absl::UnavailableError("no"));
}

TEST_F(OrderedDeliveryTest, AnswersOfTheFirstInLineLeaveAtOnceAndStayTogether) {
  InferRequest& first = Add();
  InferRequest& second = Add();
  second.Respond({}, false);
  second.Respond({}, false);
  first.Respond({}, false);
  EXPECT_EQ(made_[0].record->responses().size(), 1u);
  EXPECT_EQ(made_[1].record->responses().size(), 0u);
  first.Finish();
  EXPECT_EQ(made_[0].record->finals(), 1);
  EXPECT_EQ(made_[1].record->responses().size(), 2u);
  EXPECT_EQ(made_[1].record->finals(), 0);
  second.Finish();
  EXPECT_EQ(made_[1].record->finals(), 1);
  EXPECT_EQ(made_[1].record->responses().size(), 2u);
}

TEST_F(OrderedDeliveryTest, ADroppedRequestDoesNotBlockTheLine) {
  Add();
  InferRequest& second = Add();
  second.Respond({});
  made_[0].request.reset();
  EXPECT_EQ(ended(), (std::vector<int>{0, 1}));
  EXPECT_EQ(made_[0].record->status().code(), absl::StatusCode::kInternal);
}

TEST_F(OrderedDeliveryTest, PassesAllocationAndCancellationThrough) {
  Add();
  InferRequest& second = Add();
  const TensorSpec spec;
  auto buffer = second.AllocateOutput(spec, 24);
  ASSERT_TRUE(buffer.ok());
  EXPECT_EQ(buffer->size(), 24u);
  EXPECT_FALSE(second.IsCancelled());
  made_[1].record->Cancel();
  EXPECT_TRUE(second.IsCancelled());
}

TEST_F(OrderedDeliveryTest, KeepsTheModelVersionWhileAnswersAreHeld) {
  InferRequest& first = Add();
  auto version = std::make_shared<int>(1);
  made_.push_back(MakeRequest());
  InferRequest& second = *made_.back().request;
  second.servable_handle = version;
  delivery_->TakePlace(second);
  second.Respond({});
  made_.back().request.reset();
  EXPECT_EQ(version.use_count(), 2);
  first.Respond({});
  EXPECT_EQ(version.use_count(), 1);
}

TEST_F(OrderedDeliveryTest, MayGoWithTheModelVersionOfTheLastAnswer) {
  // The version owns what owns the delivery; the last answer releases it.
  auto owner = std::make_shared<std::shared_ptr<OrderedDelivery>>(std::move(delivery_));
  TestRequest made = MakeRequest();
  made.request->servable_handle = owner;
  (*owner)->TakePlace(*made.request);
  owner.reset();
  made.request->Respond({});
  made.request.reset();
  EXPECT_EQ(made.record->finals(), 1);
}

TEST_F(OrderedDeliveryTest, KeepsOrderWhenManyThreadsAnswer) {
  constexpr int kThreads = 4;
  constexpr size_t kRequests = 400;
  for (size_t i = 0; i < kRequests; ++i) Add();
  std::latch start(kThreads);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::vector<size_t> mine;
      for (size_t i = t; i < kRequests; i += kThreads) mine.push_back(i);
      std::shuffle(mine.begin(), mine.end(), std::mt19937(static_cast<unsigned>(t)));
      start.arrive_and_wait();
      const TensorSpec spec;
      for (size_t i : mine) {
        InferRequest& request = *made_[i].request;
        request.Respond({}, false);
        EXPECT_TRUE(request.AllocateOutput(spec, 8).ok());
        request.Respond({}, true);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::vector<int> order = ended();
  ASSERT_EQ(order.size(), kRequests);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  for (const TestRequest& made : made_) {
    EXPECT_EQ(made.record->finals(), 1);
    EXPECT_EQ(made.record->responses().size(), 2u);
  }
}

}  // namespace
}  // namespace nereid
