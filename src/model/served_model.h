#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/guarded.h"
#include "config/instance_groups.h"
#include "infer/servable.h"
#include "model/instance_worker.h"
#include "nereid/backend.h"
#include "sched/scheduler.h"

namespace nereid {

// One loaded model version: validates what is submitted, queues it, and owns the instances that
// execute it. Destroy it off the request path: the destructor waits for what is still queued.
class ServedModel : public Servable, private CompletionObserver {
 public:
  struct Options {
    std::shared_ptr<const ModelConfig> config;
    int64_t version = 1;
    std::string model_path;        // folder of the model: warm-up data
    std::shared_ptr<Model> model;  // keeps its backend and module
    std::vector<PlannedInstance> instances;
    std::unique_ptr<ModelStatistics::DurationListener> duration_listener;  // may be null
  };

  // Makes and warms up every instance. Fails with the first failure, having undone the others.
  static absl::StatusOr<std::shared_ptr<ServedModel>> Create(Options options);
  ~ServedModel() override;

  void Submit(std::unique_ptr<InferRequest> request) noexcept override;
  const std::shared_ptr<const ModelConfig>& config() const override { return config_; }
  int64_t version() const override { return version_; }
  std::string_view name_space() const override { return name_space_; }
  const ModelStatistics& statistics() const override { return statistics_; }
  MemoryEstimate memory_usage() const override { return GuardedMemoryUsage(*model_); }
  int64_t InFlight() const override { return in_flight_.load(std::memory_order_acquire); }
  // False when requests are answered with errors: no instance that is given work can do any.
  bool Healthy() const override;

  // How long it took from the load request until READY.
  void SetLoadDuration(std::chrono::nanoseconds duration) { statistics_.SetLoadDuration(duration); }

  // Before it serves.
  void SetNameSpace(std::string name_space) { name_space_ = std::move(name_space); }

  // Finishes what is queued and refuses more. Returns at once.
  void Close();

 private:
  explicit ServedModel(Options options);
  absl::Status Start(std::vector<PlannedInstance> instances, const std::string& model_path);

  void OnResponse(const InferRequest& request, const InferResponse& response,
                  bool is_final) noexcept override;
  void OnComplete(const InferRequest& request, const absl::Status& status) noexcept override;
  void OnExecuted(const Timeline& timeline, int64_t batch_size) noexcept override;

  const std::shared_ptr<const ModelConfig> config_;
  const int64_t version_;
  const std::shared_ptr<Model> model_;
  std::string name_space_;
  ModelStatistics statistics_;
  std::atomic<int64_t> in_flight_{0};
  std::atomic<int> serving_{0};  // workers that are given work and can do it
  bool has_active_workers_ = false;
  std::unique_ptr<Scheduler> scheduler_;
  std::vector<std::unique_ptr<InstanceWorker>> workers_;  // last: they use all of the above
};

}  // namespace nereid
