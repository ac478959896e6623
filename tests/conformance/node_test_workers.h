#pragma once

#include <functional>
#include <string>
#include <vector>

namespace nereid::engine {

// What became of one job, in a line of text.
struct JobOutcome {
  std::string text;
  bool worker_is_broken = false;  // the process must not run another job
};

struct WorkerOptions {
  int workers = 1;
  int seconds_a_job = 120;
};

// Runs jobs 0 … count-1 in processes of their own, each of which does one job after the other until
// it breaks: a crash, or a GPU whose context is lost, costs one job. The calling process must not
// have touched the GPU, nor have other threads. `run` is called in the children; `finished`, in
// this process, for each job once, in any order, with the outcome's text, or with what happened to
// the process: "crashed: …".
void RunInWorkers(int count, const WorkerOptions& options,
                  const std::function<JobOutcome(int job)>& run,
                  const std::function<void(int job, const std::string& text)>& finished);

}  // namespace nereid::engine
