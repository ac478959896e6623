#include "model/instance_worker.h"

#include <pthread.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "backend/guarded.h"
#include "common/log.h"
#include "common/strings.h"
#include "model/host_inputs.h"
#include "sched/refusal.h"

namespace nereid {
namespace {

// How often an idle instance on a GPU is asked for its health: what befalls a device befalls
// everybody on it.
constexpr std::chrono::milliseconds kHealthInterval{500};
// How long a worker waits before it tries again to replace an instance that could not be made: at
// first, and at most, doubling in between.
constexpr std::chrono::milliseconds kFirstPause{100};
constexpr std::chrono::milliseconds kLongestPause{5000};

// Other instances wait for work without an end, which costs no timer.
TimePoint NextHealthCheck(const InstanceContext& context) {
  return context.kind == InstanceKind::kGpu ? Clock::now() + kHealthInterval : TimePoint::max();
}

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
  if (!options_.passive) ++*options_.serving;
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
    const bool healthy = EnsureHealthy();
    if (!healthy && OthersServe()) {
      if (options_.scheduler->Drained()) return;
      Pause(next_try_);
      continue;
    }
    const TimePoint until = healthy ? NextHealthCheck(options_.context) : next_try_;
    std::optional<Batch> batch = options_.scheduler->NextBatch(options_.slot, until);
    if (!batch) {
      if (options_.scheduler->Drained()) return;
    } else if (EnsureHealthy() || TryEarly()) {
      Execute(*std::move(batch));
    } else {
      Refuse(*std::move(batch));
    }
  }
}

void InstanceWorker::Execute(Batch batch) {
  const TimePoint now = Clock::now();
  RefuseStale(batch, now);
  // Backends that run on GPUs take inputs from there; all others find them in host memory.
  if (options_.context.kind != InstanceKind::kGpu) BringInputsToHost(batch);
  if (batch.empty()) return;
  for (size_t i = 0; i < batch.size(); ++i) batch.request(i).timeline.exec_start = now;
  batch.set_observer(options_.observer);
  const absl::Status status = GuardedExecute(*instance_, batch);
  // Whoever sees the answer sees the model's health as it is now.
  if (!status.ok() && !GuardedHealthy(*instance_)) {
    SetHealthy(false);
    failure_ = Message(status);
  }
  batch.MarkExecEnd();  // tells the observer unless the backend did
  for (size_t i = 0; i < batch.size(); ++i) {
    if (!batch.Has(i) || batch.request(i).answered()) continue;
    batch.request(i).Fail(status.ok() ? NoAnswer(options_.context.name) : status);
  }
}

void InstanceWorker::SetHealthy(bool healthy) {
  if (std::exchange(healthy_, healthy) != healthy) *options_.serving += healthy ? 1 : -1;
}

// Replaces the instance if it is unhealthy and a try is due. False: there is none to work with.
bool InstanceWorker::EnsureHealthy() {
  if (instance_ != nullptr) {
    if (GuardedHealthy(*instance_)) return true;
    SetHealthy(false);
    NLOG(Error) << "instance '" << options_.context.name << "' is unhealthy and is being replaced"
                << (failure_.empty() ? "" : ": ") << failure_;
    instance_.reset();
    next_try_ = Clock::now();
    pause_ = kFirstPause;
  }
  if (Clock::now() < next_try_) return false;
  last_try_ = Clock::now();
  const absl::Status made = MakeInstance();
  if (made.ok()) {
    NLOG(Info) << "instance '" << options_.context.name << "' has been replaced";
    failure_.clear();
    failed_to_replace_.clear();
    SetHealthy(true);
    return true;
  }
  const bool is_news = failed_to_replace_ != Message(made);
  failure_ = failed_to_replace_ = Message(made);
  if (is_news) {
    NLOG(Error) << "failed to replace instance '" << options_.context.name << "': " << failure_;
  }
  instance_.reset();
  next_try_ = Clock::now() + pause_;
  pause_ = std::min<Clock::duration>(2 * pause_, kLongestPause);
  return false;
}

// For a batch in hand it is worth a try before its time, most of all when another instance has come
// back while this one waited for work.
bool InstanceWorker::TryEarly() {
  if (!OthersServe() && Clock::now() < last_try_ + kFirstPause) return false;
  next_try_ = {};
  return EnsureHealthy();
}

void InstanceWorker::Refuse(Batch batch) {
  const TimePoint now = Clock::now();
  RefuseStale(batch, now);
  for (size_t i = 0; i < batch.size(); ++i) {
    batch.request(i).timeline.exec_start = now;  // the backend has failed it
    batch.request(i).Fail(
        absl::UnavailableError(StrCat("instance '", options_.context.name,
                                      "' has failed and could not be replaced yet: ", failure_)));
  }
}

void InstanceWorker::Pause(TimePoint until) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait_until(lock, until, [this] { return stopping_; });
}

}  // namespace nereid
