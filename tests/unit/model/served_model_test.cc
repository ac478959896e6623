#include "model/served_model.h"

#include <gtest/gtest.h>

#include <thread>

#include "model_test_util.h"

namespace nereid {
namespace {

using testing::AnswerAll;
using testing::FakeInstance;
using testing::FakeModel;
using testing::FakeSink;
using testing::Gate;
using testing::MakeConfig;
using testing::SinkRecord;

constexpr char kConfig[] = R"(
  name: "m" backend: "fake" max_batch_size: 8
  input { name: "IN" data_type: TYPE_INT32 dims: 1 }
  output { name: "OUT" data_type: TYPE_INT32 dims: 1 }
)";

ServedModel::Options OptionsFor(const std::string& config, FakeInstance::Body body,
                                int instances = 1) {
  auto model = std::make_shared<FakeModel>();
  model->create = [body](const InstanceContext&) -> absl::StatusOr<std::unique_ptr<Instance>> {
    return std::make_unique<FakeInstance>(body);
  };
  ServedModel::Options options;
  options.config = MakeConfig(config);
  options.model = model;
  for (int i = 0; i < instances; ++i) {
    PlannedInstance planned;
    planned.context.name = "m_" + std::to_string(i);
    planned.context.index = i;
    options.instances.push_back(planned);
  }
  return options;
}

std::unique_ptr<InferRequest> MakeRequest(const std::shared_ptr<SinkRecord>& record,
                                          int64_t batch = 1) {
  auto request = std::make_unique<InferRequest>(std::make_unique<FakeSink>(record));
  auto bytes = std::make_shared<std::vector<std::byte>>(4 * batch);
  request->inputs.push_back({"IN", DataType::kInt32, Shape{batch, 1},
                             Payload(bytes, bytes->data(), bytes->size()), nullptr});
  request->timeline.received = Clock::now();
  return request;
}

TEST(ServedModelTest, ExecutesAndCounts) {
  auto model = ServedModel::Create(OptionsFor(kConfig, AnswerAll));
  ASSERT_TRUE(model.ok()) << model.status();
  for (int i = 0; i < 3; ++i) {
    auto record = std::make_shared<SinkRecord>();
    (*model)->Submit(MakeRequest(record, 2));
    record->WaitUntilFinal();
    EXPECT_TRUE(record->status().ok()) << record->status();
  }
  const ModelStatistics::Snapshot s = (*model)->statistics().Read();
  EXPECT_EQ(s.success.count, 3u);
  EXPECT_EQ(s.inference_count, 6u);
  EXPECT_EQ(s.execution_count, 3u);
  EXPECT_EQ((*model)->InFlight(), 0);
}

TEST(ServedModelTest, AnInvalidRequestIsRefusedAndNotCounted) {
  auto model = ServedModel::Create(OptionsFor(kConfig, AnswerAll));
  ASSERT_TRUE(model.ok());
  auto record = std::make_shared<SinkRecord>();
  auto request = MakeRequest(record);
  request->inputs[0].data_type = DataType::kFp32;
  (*model)->Submit(std::move(request));
  record->WaitUntilFinal();
  EXPECT_TRUE(absl::IsInvalidArgument(record->status())) << record->status();
  EXPECT_EQ((*model)->statistics().Read().fail.count, 0u);
  EXPECT_EQ((*model)->InFlight(), 0);
}

TEST(ServedModelTest, WhatABackendLeavesUnansweredIsAnswered) {
  struct Row {
    FakeInstance::Body body;
    absl::StatusCode code;
  };
  const Row rows[] = {
      {[](Batch&) { return absl::InvalidArgumentError("no"); }, absl::StatusCode::kInvalidArgument},
      {[](Batch&) { return absl::OkStatus(); }, absl::StatusCode::kInternal},
      {[](Batch&) -> absl::Status { throw std::runtime_error("boom"); },
       absl::StatusCode::kInternal},
      {[](Batch& batch) {
         batch.Take(0);
         return absl::OkStatus();
       },
       absl::StatusCode::kInternal},
  };
  for (const Row& row : rows) {
    auto model = ServedModel::Create(OptionsFor(kConfig, row.body));
    ASSERT_TRUE(model.ok());
    auto record = std::make_shared<SinkRecord>();
    (*model)->Submit(MakeRequest(record));
    record->WaitUntilFinal();
    EXPECT_EQ(record->status().code(), row.code) << record->status();
    EXPECT_EQ(record->finals(), 1);
    const ModelStatistics::Snapshot s = (*model)->statistics().Read();
    EXPECT_EQ(s.failures[static_cast<int>(FailureReason::kBackend)], 1u);
  }
}

TEST(ServedModelTest, AFailingInstanceFailsTheLoad) {
  auto options = OptionsFor(kConfig, AnswerAll, 2);
  std::static_pointer_cast<FakeModel>(options.model)->create =
      [](const InstanceContext& context) -> absl::StatusOr<std::unique_ptr<Instance>> {
    if (context.index == 1) return absl::ResourceExhaustedError("no memory");
    return std::make_unique<FakeInstance>(AnswerAll);
  };
  const auto model = ServedModel::Create(std::move(options));
  EXPECT_TRUE(absl::IsResourceExhausted(model.status())) << model.status();
}

TEST(ServedModelTest, DestructionAnswersWhatIsQueued) {
  auto gate = std::make_shared<Gate>();
  auto model = ServedModel::Create(OptionsFor(kConfig, [gate](Batch& batch) {
    gate->Arrive();
    return AnswerAll(batch);
  }));
  ASSERT_TRUE(model.ok());
  std::vector<std::shared_ptr<SinkRecord>> records;
  for (int i = 0; i < 10; ++i) {
    records.push_back(std::make_shared<SinkRecord>());
    (*model)->Submit(MakeRequest(records.back()));
  }
  gate->WaitForArrival();
  EXPECT_EQ((*model)->InFlight(), 10);
  gate->Open();
  model->reset();
  for (const auto& record : records) EXPECT_EQ(record->finals(), 1);
}

TEST(ServedModelTest, AClosedModelRefuses) {
  auto model = ServedModel::Create(OptionsFor(kConfig, AnswerAll));
  ASSERT_TRUE(model.ok());
  (*model)->Close();
  auto record = std::make_shared<SinkRecord>();
  (*model)->Submit(MakeRequest(record));
  record->WaitUntilFinal();
  EXPECT_TRUE(absl::IsUnavailable(record->status())) << record->status();
  EXPECT_EQ((*model)->InFlight(), 0);
}

TEST(ServedModelTest, AnUnhealthyInstanceIsReplaced) {
  auto healthy = std::make_shared<std::atomic<bool>>(true);
  auto made = std::make_shared<std::atomic<int>>(0);
  auto options = OptionsFor(kConfig, AnswerAll);
  std::static_pointer_cast<FakeModel>(options.model)->create =
      [healthy, made](const InstanceContext&) -> absl::StatusOr<std::unique_ptr<Instance>> {
    if (++*made == 1) {
      return std::make_unique<FakeInstance>(
          [healthy](Batch&) {
            *healthy = false;
            return absl::InternalError("device lost");
          },
          healthy);
    }
    return std::make_unique<FakeInstance>(AnswerAll);
  };
  auto model = ServedModel::Create(std::move(options));
  ASSERT_TRUE(model.ok());
  for (const bool works : {false, true}) {
    auto record = std::make_shared<SinkRecord>();
    (*model)->Submit(MakeRequest(record));
    record->WaitUntilFinal();
    EXPECT_EQ(record->status().ok(), works) << record->status();
  }
  EXPECT_EQ(*made, 2);
  EXPECT_TRUE((*model)->Healthy());
}

// Makes instances that fail by the test's will, and counts them.
struct Flaky {
  std::atomic<bool> device_works{true};  // instances can be made
  std::atomic<int> made{0};
  std::atomic<int> gone{0};
  std::vector<std::shared_ptr<std::atomic<bool>>> healthy;  // by instance, in order of creation
  std::mutex mutex;

  absl::StatusOr<std::unique_ptr<Instance>> Make() {
    if (!device_works) return absl::UnavailableError("the device is still lost");
    const std::lock_guard lock(mutex);
    ++made;
    healthy.push_back(std::make_shared<std::atomic<bool>>(true));
    auto mine = healthy.back();
    return std::make_unique<FakeInstance>(
        [mine](Batch& batch) -> absl::Status {
          return *mine ? AnswerAll(batch) : absl::InternalError("executed while unhealthy");
        },
        mine);
  }
  void Break(size_t instance) {
    const std::lock_guard lock(mutex);
    *healthy[instance] = false;
  }
};

std::shared_ptr<ServedModel> FlakyModel(const std::shared_ptr<Flaky>& flaky, int instances) {
  auto options = OptionsFor(kConfig, AnswerAll, instances);
  std::static_pointer_cast<FakeModel>(options.model)->create = [flaky](const InstanceContext&) {
    return flaky->Make();
  };
  auto model = ServedModel::Create(std::move(options));
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

absl::Status Ask(ServedModel& model) {
  auto record = std::make_shared<SinkRecord>();
  model.Submit(MakeRequest(record));
  record->WaitUntilFinal();
  EXPECT_EQ(record->finals(), 1);
  return record->status();
}

TEST(ServedModelTest, AnInstanceThatBecameUnhealthyWhileIdleIsReplacedBeforeItExecutes) {
  auto flaky = std::make_shared<Flaky>();
  auto model = FlakyModel(flaky, 1);
  flaky->Break(0);
  EXPECT_TRUE(Ask(*model).ok());
  EXPECT_EQ(flaky->made, 2);
}

TEST(ServedModelTest, AnIdleInstanceThatBecameUnhealthyIsReplacedWithoutARequest) {
  auto flaky = std::make_shared<Flaky>();
  auto model = FlakyModel(flaky, 1);
  flaky->Break(0);
  while (flaky->made < 2) std::this_thread::yield();
}

TEST(ServedModelTest, RequestsAreAnsweredWhileNoInstanceCanBeMade) {
  auto flaky = std::make_shared<Flaky>();
  auto model = FlakyModel(flaky, 2);
  flaky->device_works = false;
  flaky->Break(0);
  flaky->Break(1);
  for (int i = 0; i < 3; ++i) {
    const absl::Status status = Ask(*model);
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_NE(status.message().find("could not be replaced yet: the device is still lost"),
              status.message().npos)
        << status;
  }
  EXPECT_FALSE(model->Healthy());
  EXPECT_EQ(model->statistics().Read().failures[static_cast<int>(FailureReason::kBackend)], 3u);
  flaky->device_works = true;
  while (!Ask(*model).ok()) std::this_thread::yield();
  // Whichever takes them: the other one, too, is made when it gets one.
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Ask(*model).ok());
  EXPECT_TRUE(model->Healthy());
}

TEST(ServedModelTest, TheOtherInstancesServeWhileOneCannotBeReplaced) {
  auto flaky = std::make_shared<Flaky>();
  auto model = FlakyModel(flaky, 2);
  flaky->device_works = false;
  flaky->Break(1);
  int failed = 0;
  for (int i = 0; i < 50; ++i) failed += Ask(*model).ok() ? 0 : 1;
  EXPECT_LE(failed, 1) << "more than the batch that the instance had in hand when it was noticed";
  EXPECT_TRUE(model->Healthy());
}

TEST(ServedModelTest, AModelWhoseInstanceCannotBeReplacedIsUnloaded) {
  auto flaky = std::make_shared<Flaky>();
  auto model = FlakyModel(flaky, 1);
  flaky->device_works = false;
  flaky->Break(0);
  EXPECT_FALSE(Ask(*model).ok());
  auto record = std::make_shared<SinkRecord>();
  model->Submit(MakeRequest(record));
  model.reset();
  EXPECT_EQ(record->finals(), 1);
}

TEST(ServedModelTest, ARequestCancelledWhileQueuedIsNotExecuted) {
  auto gate = std::make_shared<Gate>();
  auto executed = std::make_shared<std::atomic<int>>(0);
  auto model = ServedModel::Create(OptionsFor(kConfig, [gate, executed](Batch& batch) {
    ++*executed;
    gate->Arrive();
    return AnswerAll(batch);
  }));
  ASSERT_TRUE(model.ok());
  std::vector<std::shared_ptr<SinkRecord>> records;
  for (int i = 0; i < 3; ++i) {
    records.push_back(std::make_shared<SinkRecord>());
    (*model)->Submit(MakeRequest(records.back()));
  }
  gate->WaitForArrival();
  records[1]->Cancel();
  gate->Open();
  for (const auto& record : records) record->WaitUntilFinal();
  EXPECT_TRUE(records[0]->status().ok());
  EXPECT_TRUE(absl::IsCancelled(records[1]->status())) << records[1]->status();
  EXPECT_TRUE(records[2]->status().ok());
  EXPECT_EQ(*executed, 2);
  const ModelStatistics::Snapshot s = (*model)->statistics().Read();
  EXPECT_EQ(s.failures[static_cast<int>(FailureReason::kCanceled)], 1u);
}

TEST(ServedModelTest, EveryRequestOfManyThreadsIsAnsweredOnce) {
  auto model = ServedModel::Create(OptionsFor(kConfig, AnswerAll, 3));
  ASSERT_TRUE(model.ok());
  constexpr int kThreads = 4;
  constexpr int kRequests = 200;
  std::vector<std::vector<std::shared_ptr<SinkRecord>>> records(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRequests; ++i) {
        records[t].push_back(std::make_shared<SinkRecord>());
        (*model)->Submit(MakeRequest(records[t].back()));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  model->reset();
  for (const auto& list : records) {
    for (const auto& record : list) {
      EXPECT_EQ(record->finals(), 1);
      EXPECT_TRUE(record->status().ok());
    }
  }
}

TEST(ServedModelTest, WarmupRunsOnEveryInstanceBeforeServing) {
  auto executed = std::make_shared<std::atomic<int>>(0);
  const std::string config = std::string(kConfig) + R"(
    model_warmup { name: "w" batch_size: 2 count: 3
      inputs { key: "IN" value { data_type: TYPE_INT32 dims: 1 zero_data: true } } }
  )";
  auto model = ServedModel::Create(OptionsFor(
      config,
      [executed](Batch& batch) {
        EXPECT_EQ(batch.size(), 2u);
        ++*executed;
        return AnswerAll(batch);
      },
      2));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(*executed, 6);
  EXPECT_EQ((*model)->statistics().Read().success.count, 0u);
}

TEST(ServedModelTest, AFailingWarmupFailsTheLoad) {
  struct Row {
    const char* warmup;
    const char* message;
  };
  const Row rows[] = {
      {R"(name: "w" batch_size: 1 inputs { key: "IN" value { data_type: TYPE_FP32 dims: 1 zero_data: true } })",
       "failed to run warmup sample 'w': "},
      {R"(name: "w" batch_size: 1 inputs { key: "IN" value { data_type: TYPE_INT32 dims: -1 zero_data: true } })",
       "all variable-size dimensions are specified for input 'IN'"},
      {R"(name: "w" batch_size: 1 inputs { key: "IN" value { data_type: TYPE_INT32 dims: 1 } })",
       "to have input_data_type set"},
      {R"(name: "w" batch_size: 1 inputs { key: "IN" value { data_type: TYPE_INT32 dims: 1 input_data_file: "gone" } })",
       "warmup/gone"},
      {R"(name: "w" batch_size: 1 inputs { key: "IN" value { data_type: TYPE_INT32 dims: 1 input_data_file: "../../x" } })",
       "lies outside the model's warmup folder"},
      {R"(name: "w" batch_size: 1 inputs { key: "IN" value { data_type: TYPE_INT32 dims: 1 input_data_file: "/etc/passwd" } })",
       "lies outside the model's warmup folder"},
      {R"(name: "w" batch_size: 4000000000 inputs { key: "IN" value { data_type: TYPE_INT32 dims: 1 zero_data: true } })",
       "warmup sample 'w' has batch_size 4000000000"},
      {R"(name: "w" batch_size: 1 inputs { key: "IN" value { data_type: TYPE_INT32 dims: 4611686018427387904 zero_data: true } })",
       "4611686018427387904"},
  };
  for (const Row& row : rows) {
    const std::string config = std::string(kConfig) + "model_warmup {" + row.warmup + "}";
    const auto model = ServedModel::Create(OptionsFor(config, AnswerAll));
    ASSERT_FALSE(model.ok()) << row.warmup;
    EXPECT_NE(std::string(model.status().message()).find(row.message), std::string::npos)
        << model.status();
  }
}

}  // namespace
}  // namespace nereid
