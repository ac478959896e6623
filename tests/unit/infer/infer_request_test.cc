#include <gtest/gtest.h>

#include "infer/model_statistics.h"
#include "nereid/batch.h"
#include "nereid/request.h"
#include "support/fake_sink.h"

namespace nereid {
namespace {

using testing::FakeSink;
using testing::SinkRecord;

struct CountingObserver : CompletionObserver {
  void OnResponse(const InferRequest&, const InferResponse&, bool) noexcept override {
    ++responses;
  }
  void OnComplete(const InferRequest&, const absl::Status& status) noexcept override {
    ++completions;
    last = status;
  }
  void OnExecuted(const Timeline&, int64_t size) noexcept override { executed.push_back(size); }
  int responses = 0;
  int completions = 0;
  absl::Status last;
  std::vector<int64_t> executed;
};

TEST(InferRequestTest, ADroppedRequestAnswersFromItsDestructor) {
  auto record = std::make_shared<SinkRecord>();
  { InferRequest request(std::make_unique<FakeSink>(record)); }
  EXPECT_EQ(record->finals(), 1);
  EXPECT_TRUE(absl::IsInternal(record->status()));
}

TEST(InferRequestTest, IsAnsweredOnlyOnce) {
  auto record = std::make_shared<SinkRecord>();
  CountingObserver observer;
  {
    InferRequest request(std::make_unique<FakeSink>(record));
    request.observer = &observer;
    request.Respond(InferResponse{});
    EXPECT_TRUE(request.answered());
    request.Fail(absl::InternalError("late"));
    request.Finish();
    EXPECT_FALSE(request.AllocateOutput(TensorSpec{}, 4).ok());
  }
  EXPECT_EQ(record->finals(), 1);
  EXPECT_TRUE(record->status().ok());
  EXPECT_EQ(observer.responses, 1);
  EXPECT_EQ(observer.completions, 1);
}

TEST(InferRequestTest, AnOutputWhoseSizeDoesNotFitItsShapeBecomesAnError) {
  TensorSpec spec;
  spec.name = "OUT";
  struct Row {
    const TensorSpec* spec;
    DataType type;
    Shape shape;
    size_t bytes;
    bool ok;
  };
  const Row rows[] = {
      {&spec, DataType::kFp32, {2, 3}, 24, true},
      {&spec, DataType::kFp32, {2, 3}, 23, false},
      {&spec, DataType::kFp32, {2, 4}, 24, false},
      {&spec, DataType::kFp32, {-1}, 0, false},
      {&spec, DataType::kFp32, {int64_t{1} << 62, 4}, 0, false},
      {&spec, DataType::kInvalid, {1}, 4, false},
      {&spec, DataType::kBytes, {2}, 8, true},
      {&spec, DataType::kBytes, {2}, 7, false},
      {nullptr, DataType::kFp32, {1}, 4, false},
  };
  for (const Row& row : rows) {
    auto record = std::make_shared<SinkRecord>();
    InferRequest request(std::make_unique<FakeSink>(record));
    auto bytes = std::make_shared<std::vector<std::byte>>(row.bytes);
    InferResponse response;
    response.outputs.push_back(
        {row.spec, row.type, row.shape, Payload(bytes, bytes->data(), bytes->size())});
    request.Respond(std::move(response));
    EXPECT_EQ(record->status().ok(), row.ok) << record->status();
  }
}

TEST(InferRequestTest, ManyResponsesThenFinish) {
  auto record = std::make_shared<SinkRecord>();
  CountingObserver observer;
  InferRequest request(std::make_unique<FakeSink>(record));
  request.observer = &observer;
  request.Respond(InferResponse{}, false);
  request.Respond(InferResponse{}, false);
  EXPECT_FALSE(request.answered());
  request.Finish();
  EXPECT_TRUE(request.answered());
  EXPECT_EQ(record->responses().size(), 2u);
  EXPECT_EQ(observer.completions, 1);
  EXPECT_TRUE(observer.last.ok());
}

TEST(BatchTest, AddsUpBatchSizesAndReportsItsExecutionOnce) {
  CountingObserver observer;
  Batch batch;
  for (int64_t size : {3, 4}) {
    auto request =
        std::make_unique<InferRequest>(std::make_unique<FakeSink>(std::make_shared<SinkRecord>()));
    request->batch_size = size;
    batch.Add(std::move(request));
  }
  batch.set_observer(&observer);
  batch.MarkComputeStart();
  batch.MarkComputeEnd();
  batch.MarkExecEnd();
  batch.MarkExecEnd();
  EXPECT_EQ(batch.total_batch_size(), 7);
  EXPECT_EQ(observer.executed, std::vector<int64_t>{7});
  EXPECT_LE(batch.request(0).timeline.compute_start, batch.request(0).timeline.exec_end);
}

TimePoint At(int64_t ns) { return TimePoint(std::chrono::nanoseconds(ns)); }

TEST(ModelStatisticsTest, DurationsFollowTheirDefinitions) {
  ModelStatistics statistics;
  const Timeline t{At(10), At(20), At(50), At(57), At(157), At(160)};
  statistics.RecordSuccess(t, At(200), 4);
  statistics.RecordExecution(t, 4);
  const ModelStatistics::Snapshot s = statistics.Read();
  EXPECT_EQ(s.inference_count, 4u);
  EXPECT_EQ(s.execution_count, 1u);
  EXPECT_EQ(s.success.ns, 190u);
  EXPECT_EQ(s.queue.ns, 30u);
  EXPECT_EQ(s.compute_input.ns, 7u);
  EXPECT_EQ(s.compute_infer.ns, 100u);
  EXPECT_EQ(s.compute_output.ns, 3u);
  ASSERT_EQ(s.batches.size(), 1u);
  EXPECT_EQ(s.batches[0].batch_size, 4u);
  EXPECT_EQ(s.batches[0].compute_infer.ns, 100u);
  EXPECT_GT(s.last_inference_ms, 0u);
}

TEST(ModelStatisticsTest, FailuresAreCountedByReason) {
  ModelStatistics statistics;
  statistics.RecordFailure({At(10), At(20), {}, {}, {}, {}}, At(30), FailureReason::kRejected);
  statistics.RecordFailure({At(10), At(20), At(21), {}, {}, {}}, At(30), FailureReason::kBackend);
  const ModelStatistics::Snapshot s = statistics.Read();
  EXPECT_EQ(s.fail.count, 2u);
  EXPECT_EQ(s.fail.ns, 40u);
  EXPECT_EQ(s.failures[static_cast<int>(FailureReason::kRejected)], 1u);
  EXPECT_EQ(s.failures[static_cast<int>(FailureReason::kBackend)], 1u);
  EXPECT_EQ(s.inference_count, 0u);
}

}  // namespace
}  // namespace nereid
