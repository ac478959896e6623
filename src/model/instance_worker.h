#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "infer/model_statistics.h"
#include "nereid/backend.h"
#include "sched/scheduler.h"

namespace nereid {

// The thread of one execution instance: makes the instance, warms it up, then pulls batches from
// the model's scheduler and executes them until the scheduler is drained. The backend's instance
// lives and dies on this thread.
//
// An instance that is unhealthy is destroyed and made anew, again and again until that works. In
// the meantime the model's other instances take the requests; without any, this one answers them
// with what went wrong.
class InstanceWorker {
 public:
  struct Options {
    Model* model = nullptr;                  // outlives the worker
    Scheduler* scheduler = nullptr;          // outlives the worker
    CompletionObserver* observer = nullptr;  // told about executions; outlives the worker
    InstanceContext context;
    int slot = 0;
    bool passive = false;  // makes the instance but gives it no work
    // Runs after the instance was made and before it serves; also on a replacement.
    std::function<absl::Status(Instance&)> warm_up;
    // How many workers of the model are given work and can do it; outlives the worker.
    std::atomic<int>* serving = nullptr;
  };

  explicit InstanceWorker(Options options);
  // The scheduler must be closed: waits for the last batch.
  ~InstanceWorker();
  InstanceWorker(const InstanceWorker&) = delete;
  InstanceWorker& operator=(const InstanceWorker&) = delete;

  // Blocks until the instance is made and warm, or has failed.
  absl::Status WaitUntilReady();

  // Lets the thread serve; called once every instance of the model is ready.
  void StartServing();

 private:
  void Run();
  absl::Status MakeInstance();
  void Serve();
  void Execute(Batch batch);
  bool EnsureHealthy();
  bool OthersServe() const { return *options_.serving > 0; }  // while this one is not healthy
  void SetHealthy(bool healthy);
  bool TryEarly();
  void Refuse(Batch batch);
  void Pause(TimePoint until);

  const Options options_;
  // Of the worker's thread only:
  bool healthy_ = true;
  std::unique_ptr<Instance> instance_;
  std::string failure_;            // why there is no healthy instance; empty: not known
  std::string failed_to_replace_;  // as the log says already
  TimePoint last_try_;             // to replace the instance
  TimePoint next_try_;
  Clock::duration pause_{};  // before the try after that

  std::mutex mutex_;
  std::condition_variable changed_;
  bool ready_ = false;         // guarded by mutex_
  absl::Status ready_status_;  // guarded by mutex_
  bool serving_ = false;       // guarded by mutex_
  bool stopping_ = false;      // guarded by mutex_
  std::thread thread_;         // last: starts when everything else is there
};

}  // namespace nereid
