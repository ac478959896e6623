#include "cuda_fixture.h"
#include "kernels/jit/race.h"

namespace nereid {
namespace {

using engine::DeviceMemory;
using engine::Stream;

// Candidates are fills of so many bytes: on the stand-in a microsecond a KiB.
class CudaRaceTest : public testing::CudaTest {
 protected:
  static constexpr size_t kLargest = 1 << 20;

  void SetUp() override {
    CudaTest::SetUp();
    if (IsSkipped()) return;
    auto context = engine::Context::Create(0);
    ASSERT_TRUE(context.ok()) << context.status();
    context_ = *std::move(context);
    stream_ = *Stream::Create(context_);
    memory_ = *DeviceMemory::Allocate(context_, kLargest);
  }
  void TearDown() override {
    memory_ = DeviceMemory();
    stream_.reset();
    context_.reset();
    CudaTest::TearDown();
  }

  // Of the fastest. Leaves in calls_ how often each was called.
  absl::StatusOr<size_t> Race(const std::vector<size_t>& sizes) {
    calls_.assign(sizes.size(), 0);
    std::vector<std::function<absl::Status()>> candidates;
    for (size_t i = 0; i < sizes.size(); ++i) {
      candidates.push_back([this, i, bytes = sizes[i]] {
        ++calls_[i];
        if (bytes == 0) return absl::UnimplementedError("cannot do it");
        return stream_->Fill(memory_.address(), 0, bytes);
      });
    }
    return engine::Race(*stream_, candidates);
  }

  std::shared_ptr<engine::Context> context_;
  std::unique_ptr<Stream> stream_;
  DeviceMemory memory_;
  std::vector<int> calls_;
};

TEST_F(CudaRaceTest, TheFastestWinsWhereverItStands) {
  constexpr size_t kKiB = 1024;
  const std::vector<std::vector<size_t>> races = {
      {2 * kKiB, 3 * kKiB, 4 * kKiB},  // closer than what one call tells
      {4 * kKiB, 2 * kKiB, 3 * kKiB},
      {kLargest, 3 * kKiB, 2 * kKiB},
      {0, 300 * kKiB, 0, 200 * kKiB, kLargest, 0},
  };
  const std::vector<size_t> winners = {0, 1, 2, 3};
  for (size_t i = 0; i < races.size(); ++i) {
    const absl::StatusOr<size_t> winner = Race(races[i]);
    ASSERT_TRUE(winner.ok()) << winner.status();
    EXPECT_EQ(*winner, winners[i]) << i;
  }
}

TEST_F(CudaRaceTest, WhatCannotWinIsNotTimedOn) {
  constexpr size_t kBest = 32 << 10;
  ASSERT_TRUE(Race({kBest, 2 * kBest, kBest + 1024, kLargest}).ok());
  constexpr int kOnce = 2;  // for its code to be loaded, and in a graph of one call
  EXPECT_GT(calls_[0], kOnce + 1);
  EXPECT_EQ(calls_[1], kOnce);
  EXPECT_GT(calls_[2], kOnce + 1);
  EXPECT_EQ(calls_[3], kOnce);
}

TEST_F(CudaRaceTest, SaysWhyNoneCan) {
  const absl::StatusOr<size_t> winner = Race({0, 0});
  EXPECT_EQ(winner.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(winner.status().message(), "cannot do it");
}

}  // namespace
}  // namespace nereid
