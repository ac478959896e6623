#include "model/instance_worker.h"

#include <pthread.h>

#include <optional>
#include <utility>

#include "backend/guarded.h"
#include "common/log.h"
#include "common/strings.h"
#include "sched/refusal.h"

namespace nereid {
namespace {

// How long a worker waits before it tries again to replace an instance that could not be made.
constexpr std::chrono::milliseconds kReplacementPause{500};

void NameThisThread(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

// Answers what was cancelled or gave up between the pull and now.
void RefuseStale(Batch& batch, TimePoint now) {
  for (size_t i = batch.size(); i-- > 0;) {
    const std::optional<Refusal> refusal = FindRefusal(batch.request(i), now);
    if (!refusal) continue;
    std::unique_ptr<InferRequest> request = batch.Remove(i);
    request->Fail(RefusalStatus(*refusal, *request));
  }
}

absl::Status NoAnswer(const std::string& instance) {
  return absl::InternalError(
      StrCat("instance '", instance, "' left the request without an answer"));
}

}  // namespace

InstanceWorker::InstanceWorker(Options options)
    : options_(std::move(options)), thread_([this] { Run(); }) {}

InstanceWorker::~InstanceWorker() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

absl::Status InstanceWorker::WaitUntilReady() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return ready_; });
  return ready_status_;
}

void InstanceWorker::StartServing() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    serving_ = true;
  }
  changed_.notify_all();
}

absl::Status InstanceWorker::MakeInstance() {
  absl::StatusOr<std::unique_ptr<Instance>> instance =
      GuardedCreateInstance(*options_.model, options_.context);
  if (!instance.ok()) return instance.status();
  instance_ = *std::move(instance);
  return options_.warm_up ? options_.warm_up(*instance_) : absl::OkStatus();
}

void InstanceWorker::Run() {
  NameThisThread(options_.context.name);
  const absl::Status made = MakeInstance();
  {
    std::unique_lock<std::mutex> lock(mutex_);
    ready_status_ = made;
    ready_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return serving_ || stopping_; });
    if (!serving_) options_.scheduler->Close();
  }
  if (made.ok() && !options_.passive) Serve();
  instance_.reset();
}

void InstanceWorker::Serve() {
  while (true) {
    std::optional<Batch> batch = options_.scheduler->NextBatch(options_.slot, TimePoint::max());
    if (batch) {
      Execute(*std::move(batch));
    } else if (options_.scheduler->Drained()) {
      return;
    }
  }
}

void InstanceWorker::Execute(Batch batch) {
  const TimePoint now = Clock::now();
  RefuseStale(batch, now);
  if (batch.empty()) return;
  for (size_t i = 0; i < batch.size(); ++i) batch.request(i).timeline.exec_start = now;
  batch.set_observer(options_.observer);
  const absl::Status status = GuardedExecute(*instance_, batch);
  batch.MarkExecEnd();  // tells the observer unless the backend did
  for (size_t i = 0; i < batch.size(); ++i) {
    if (!batch.Has(i) || batch.request(i).answered()) continue;
    batch.request(i).Fail(status.ok() ? NoAnswer(options_.context.name) : status);
  }
  if (!GuardedHealthy(*instance_)) ReplaceInstance();
}

void InstanceWorker::ReplaceInstance() {
  healthy_ = false;
  NLOG(Error) << "instance '" << options_.context.name << "' is unhealthy and is being replaced";
  instance_.reset();
  while (true) {
    const absl::Status made = MakeInstance();
    if (made.ok()) break;
    NLOG(Error) << "failed to replace instance '" << options_.context.name
                << "': " << Message(made);
    instance_.reset();
    std::unique_lock<std::mutex> lock(mutex_);
    if (changed_.wait_for(lock, kReplacementPause, [this] { return stopping_; })) return;
  }
  healthy_ = true;
}

}  // namespace nereid
