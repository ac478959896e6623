#include "model/served_model.h"

#include <utility>

#include "common/clock.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "infer/request_validator.h"
#include "model/warmup.h"
#include "sched/scheduler_factory.h"

namespace nereid {
namespace {

FailureReason ReasonOf(const InferRequest& request, const absl::Status& status) {
  if (absl::IsCancelled(status) || absl::IsDeadlineExceeded(status))
    return FailureReason::kCanceled;
  if (request.timeline.exec_start != TimePoint{}) return FailureReason::kBackend;
  return absl::IsUnavailable(status) ? FailureReason::kRejected : FailureReason::kOther;
}

// Stations a backend did not stamp are taken to coincide with the next one it passed.
Timeline Filled(Timeline timeline, TimePoint end) {
  if (timeline.exec_start == TimePoint{}) return timeline;
  if (timeline.compute_start == TimePoint{}) timeline.compute_start = timeline.exec_start;
  if (timeline.exec_end == TimePoint{}) timeline.exec_end = end;
  if (timeline.compute_end == TimePoint{}) timeline.compute_end = timeline.exec_end;
  return timeline;
}

}  // namespace

absl::StatusOr<std::shared_ptr<ServedModel>> ServedModel::Create(Options options) {
  std::vector<PlannedInstance> instances = std::move(options.instances);
  const std::string model_path = options.model_path;
  std::shared_ptr<ServedModel> model(new ServedModel(std::move(options)));
  NEREID_RETURN_IF_ERROR(model->Start(std::move(instances), model_path));
  return model;
}

ServedModel::ServedModel(Options options)
    : config_(std::move(options.config)),
      version_(options.version),
      model_(std::move(options.model)) {
  if (options.duration_listener) statistics_.SetListener(std::move(options.duration_listener));
}

ServedModel::~ServedModel() {
  if (scheduler_ != nullptr) scheduler_->Close();
  workers_.clear();
}

absl::Status ServedModel::Start(std::vector<PlannedInstance> instances,
                                const std::string& model_path) {
  NEREID_ASSIGN_OR_RETURN(WarmupPlan warmup, WarmupPlan::Create(config_, model_path));
  NEREID_ASSIGN_OR_RETURN(scheduler_,
                          MakeScheduler(*config_, &statistics_, static_cast<int>(instances.size()),
                                        TimeSource::Real()));
  auto shared_warmup = std::make_shared<const WarmupPlan>(std::move(warmup));
  for (PlannedInstance& planned : instances) {
    InstanceWorker::Options options;
    options.model = model_.get();
    options.scheduler = scheduler_.get();
    options.observer = this;
    options.context = std::move(planned.context);
    options.slot = static_cast<int>(workers_.size());
    options.passive = planned.passive;
    has_active_workers_ |= !planned.passive;
    if (!planned.passive) {
      options.warm_up = [shared_warmup](Instance& instance) {
        return shared_warmup->Run(instance);
      };
    }
    options.serving = &serving_;
    workers_.push_back(std::make_unique<InstanceWorker>(std::move(options)));
  }
  absl::Status status;
  for (auto& worker : workers_) status.Update(worker->WaitUntilReady());
  NEREID_RETURN_IF_ERROR(status);
  for (auto& worker : workers_) worker->StartServing();
  return absl::OkStatus();
}

void ServedModel::Submit(std::unique_ptr<InferRequest> request) noexcept {
  if (absl::Status valid = ValidateRequest(config_, *request); !valid.ok()) {
    request->Fail(std::move(valid));
    return;
  }
  in_flight_.fetch_add(1, std::memory_order_relaxed);
  request->observer = this;
  scheduler_->Enqueue(std::move(request));
}

bool ServedModel::Healthy() const { return serving_ > 0 || !has_active_workers_; }

void ServedModel::Close() { scheduler_->Close(); }

void ServedModel::OnResponse(const InferRequest& request, const InferResponse& response,
                             bool /*is_final*/) noexcept {
  // Most requests need no further look at the clock.
  const bool wants_first = request.response_count() == 0 && statistics_.has_listener();
  if (!wants_first && !config_->decoupled()) return;
  const TimePoint now = Clock::now();
  if (wants_first && response.status.ok()) {
    statistics_.RecordFirstResponse(now - request.timeline.received);
  }
  if (config_->decoupled()) {
    statistics_.RecordResponse(request.response_count(), Filled(request.timeline, now), now,
                               response.status.ok(), response.outputs.empty(),
                               absl::IsCancelled(response.status));
  }
}

void ServedModel::OnComplete(const InferRequest& request, const absl::Status& status) noexcept {
  const TimePoint now = Clock::now();
  // A request that never entered the queue was refused at submission: it counts as neither.
  if (status.ok()) {
    statistics_.RecordSuccess(Filled(request.timeline, now), now, request.batch_size);
  } else if (request.timeline.queued != TimePoint{}) {
    statistics_.RecordFailure(request.timeline, now, ReasonOf(request, status));
  }
  in_flight_.fetch_sub(1, std::memory_order_release);
}

void ServedModel::OnExecuted(const Timeline& timeline, int64_t batch_size) noexcept {
  const bool has_ended = timeline.exec_end != TimePoint{};
  statistics_.RecordExecution(Filled(timeline, has_ended ? timeline.exec_end : Clock::now()),
                              batch_size);
}

}  // namespace nereid
