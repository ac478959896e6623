#pragma once

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>

#include "model/served_model.h"
#include "nereid/backend.h"
#include "proto/model_config.pb.h"
#include "support/fake_sink.h"

namespace nereid::testing {

inline std::shared_ptr<const ModelConfig> MakeConfig(const std::string& text) {
  inference::ModelConfig proto;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &proto));
  auto config = ModelConfig::Create(proto, {.model_path = "", .read_labels = false});
  EXPECT_TRUE(config.ok()) << config.status();
  return *config;
}

// A model whose instances do what the test says.
class FakeModel : public Model {
 public:
  std::function<absl::StatusOr<std::unique_ptr<Instance>>(const InstanceContext&)> create;
  absl::StatusOr<std::unique_ptr<Instance>> CreateInstance(
      const InstanceContext& context) override {
    return create(context);
  }
};

class FakeInstance : public Instance {
 public:
  using Body = std::function<absl::Status(Batch&)>;
  explicit FakeInstance(Body body, std::shared_ptr<std::atomic<bool>> healthy = nullptr)
      : body_(std::move(body)), healthy_(std::move(healthy)) {}
  absl::Status Execute(Batch& batch) override { return body_(batch); }
  bool Healthy() const override { return healthy_ == nullptr || *healthy_; }

 private:
  Body body_;
  std::shared_ptr<std::atomic<bool>> healthy_;
};

// Answers every request of a batch with an empty response.
inline absl::Status AnswerAll(Batch& batch) {
  batch.MarkComputeStart();
  batch.MarkComputeEnd();
  batch.MarkExecEnd();
  for (size_t i = 0; i < batch.size(); ++i) batch.request(i).Respond(InferResponse{});
  return absl::OkStatus();
}

// Lets a test hold an execution: Arrive() blocks until Open().
class Gate {
 public:
  void Arrive() {
    std::unique_lock<std::mutex> lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void WaitForArrival(int count = 1) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return arrived_ >= count; });
  }
  void Open() {
    std::lock_guard<std::mutex> lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0;
  bool open_ = false;
};

}  // namespace nereid::testing
