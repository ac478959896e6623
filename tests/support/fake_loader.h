#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/strings.h"
#include "infer/servable.h"
#include "proto/model_config.pb.h"
#include "repository/loader.h"

namespace nereid::testing {

// What a FakeLoader and its servables have been through. Shared, so that it outlives both.
class LoadRecord {
 public:
  // "name:version" of every attempt, in the order in which they began.
  std::vector<std::string> attempts() const {
    const std::lock_guard lock(mutex_);
    return attempts_;
  }
  int attempts_of(const std::string& what) const {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(std::count(attempts_.begin(), attempts_.end(), what));
  }
  // Servables that exist.
  int alive() const {
    const std::lock_guard lock(mutex_);
    return alive_;
  }
  int closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }
  std::thread::id destroyed_on() const {
    const std::lock_guard lock(mutex_);
    return destroyed_on_;
  }
  void WaitUntilAlive(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return alive_ == count; });
  }
  void WaitUntilAttempts(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return attempts_.size() >= count; });
  }

 private:
  friend class FakeLoader;
  friend class RecordedServable;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::vector<std::string> attempts_;
  int alive_ = 0;
  int closed_ = 0;
  std::thread::id destroyed_on_;
  std::set<std::string> held_;
  std::map<std::string, std::vector<absl::Status>> failures_;
};

// A model version that keeps the requests it gets until the test answers them, or answers at once.
class RecordedServable : public Servable {
 public:
  RecordedServable(std::shared_ptr<LoadRecord> record, const LoadRequest& request, int serial)
      : record_(std::move(record)), version_(request.version), serial_(serial) {
    config_ = *ModelConfig::Create(*request.config, {.model_path = "", .read_labels = false});
    const std::lock_guard lock(record_->mutex_);
    ++record_->alive_;
    record_->changed_.notify_all();
  }
  ~RecordedServable() override {
    const std::lock_guard lock(record_->mutex_);
    --record_->alive_;
    record_->destroyed_on_ = std::this_thread::get_id();
    record_->changed_.notify_all();
  }

  void Submit(std::unique_ptr<InferRequest> request) noexcept override {
    submitted.fetch_add(1);
    if (!keep) return request->Respond({});
    const std::lock_guard lock(mutex_);
    kept_.push_back(std::move(request));
  }
  void AnswerKept() {
    std::vector<std::unique_ptr<InferRequest>> requests;
    {
      const std::lock_guard lock(mutex_);
      requests.swap(kept_);
    }
    for (auto& request : requests) request->Respond({});
  }
  const std::shared_ptr<const ModelConfig>& config() const override { return config_; }
  int64_t version() const override { return version_; }
  const ModelStatistics& statistics() const override { return statistics_; }
  MemoryEstimate memory_usage() const override { return {{{MemoryPlace{}, 77}}}; }
  int64_t InFlight() const override {
    const std::lock_guard lock(mutex_);
    return static_cast<int64_t>(kept_.size());
  }
  bool Healthy() const override { return healthy; }

  // The how manieth servable this is that its loader made, from 1.
  int serial() const { return serial_; }

  std::atomic<bool> healthy{true};
  std::atomic<bool> keep{false};
  std::atomic<int> submitted{0};

 private:
  const std::shared_ptr<LoadRecord> record_;
  const int64_t version_;
  const int serial_;
  std::shared_ptr<const ModelConfig> config_;
  ModelStatistics statistics_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<InferRequest>> kept_;  // guarded by mutex_
};

// Makes RecordedServables. The test can hold a load, name by name and version by version, and make
// attempts fail.
class FakeLoader : public Loader {
 public:
  // `what` is "name:version". Attempts on it begin, then wait until Release().
  void Hold(const std::string& what) {
    const std::lock_guard lock(record_->mutex_);
    record_->held_.insert(what);
  }
  void Release(const std::string& what) {
    const std::lock_guard lock(record_->mutex_);
    record_->held_.erase(what);
    record_->changed_.notify_all();
  }
  // The next `times` attempts fail.
  void Fail(const std::string& what, const absl::Status& status, int times = 1) {
    const std::lock_guard lock(record_->mutex_);
    record_->failures_[what].assign(static_cast<size_t>(times), status);
  }
  LoadRecord& record() { return *record_; }
  const std::shared_ptr<LoadRecord>& shared_record() { return record_; }

  absl::StatusOr<MemoryEstimate> Estimate(const LoadRequest&) override { return MemoryEstimate{}; }
  absl::StatusOr<std::shared_ptr<Servable>> Load(const LoadRequest& request) override {
    const std::string what = StrCat(request.name, ":", request.version);
    int serial = 0;
    {
      std::unique_lock lock(record_->mutex_);
      record_->attempts_.push_back(what);
      record_->changed_.notify_all();
      record_->changed_.wait(lock, [&] { return !record_->held_.contains(what); });
      std::vector<absl::Status>& failures = record_->failures_[what];
      if (!failures.empty()) {
        const absl::Status status = failures.back();
        failures.pop_back();
        return status;
      }
      serial = ++made_;
      last_request_ = request;
    }
    return std::make_shared<RecordedServable>(record_, request, serial);
  }
  void Unload(Servable&) override {
    const std::lock_guard lock(record_->mutex_);
    ++record_->closed_;
  }
  LoadRequest last_request() const {
    const std::lock_guard lock(record_->mutex_);
    return last_request_;
  }

 private:
  const std::shared_ptr<LoadRecord> record_ = std::make_shared<LoadRecord>();
  int made_ = 0;              // guarded by record_->mutex_
  LoadRequest last_request_;  // guarded by record_->mutex_
};

// A request for a model that has nothing but a name.
inline LoadRequest RequestFor(const std::string& name, int64_t version) {
  auto config = std::make_shared<inference::ModelConfig>();
  config->set_name(name);
  LoadRequest request;
  request.name = name;
  request.version = version;
  request.config = std::move(config);
  return request;
}

inline RecordedServable& Recorded(const ServableHandle& handle) {
  return static_cast<RecordedServable&>(*handle);
}

}  // namespace nereid::testing
