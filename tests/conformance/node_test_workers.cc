#include "tests/conformance/node_test_workers.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "common/strings.h"

namespace nereid::engine {
namespace {

using Clock = std::chrono::steady_clock;

// One line a message: "begin JOB", "end JOB TEXT".
void Say(int fd, std::string line) {
  std::ranges::replace(line, '\n', ' ');
  line += '\n';
  for (size_t sent = 0; sent < line.size();) {
    const ssize_t n = write(fd, line.data() + sent, line.size() - sent);
    if (n <= 0) _exit(1);
    sent += static_cast<size_t>(n);
  }
}

// Does every `stride`-th job from `first` on, until one breaks it.
[[noreturn]] void WorkAs(int fd, int first, int count, int stride,
                         const std::function<JobOutcome(int)>& run) {
  for (int job = first; job < count; job += stride) {
    Say(fd, StrCat("begin ", job));
    const JobOutcome outcome = run(job);
    Say(fd, StrCat("end ", job, " ", outcome.text));
    if (outcome.worker_is_broken) break;
  }
  // Without destructors: a broken GPU would fail them.
  _exit(0);
}

class Pool {
 public:
  Pool(int count, const WorkerOptions& options, const std::function<JobOutcome(int)>& run,
       const std::function<void(int, const std::string&)>& finished)
      : count_(count), options_(options), run_(run), finished_(finished) {}

  void Run() {
    workers_.resize(static_cast<size_t>(std::clamp(options_.workers, 1, std::max(count_, 1))));
    for (size_t i = 0; i < workers_.size(); ++i) {
      workers_[i].next = static_cast<int>(i);
      Start(workers_[i]);
    }
    while (std::ranges::any_of(workers_, [](const Worker& w) { return w.fd >= 0; })) Wait();
  }

 private:
  struct Worker {
    pid_t pid = -1;
    int fd = -1;
    int next = 0;    // the job it does, or will do
    int begun = -1;  // the job it is at
    Clock::time_point since;
    bool timed_out = false;
    std::string unread;
  };

  void Start(Worker& worker) {
    worker.fd = -1;
    if (worker.next >= count_) return;
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    std::fflush(nullptr);
    worker.pid = fork();
    if (worker.pid < 0) std::abort();
    if (worker.pid == 0) {
      close(ends[0]);
      for (const Worker& other : workers_) {
        if (other.fd >= 0) close(other.fd);
      }
      WorkAs(ends[1], worker.next, count_, static_cast<int>(workers_.size()), run_);
    }
    close(ends[1]);
    worker.fd = ends[0];
    worker.begun = -1;
    worker.timed_out = false;
    worker.unread.clear();
  }

  void Wait() {
    std::vector<pollfd> polls;
    std::vector<Worker*> polled;
    for (Worker& worker : workers_) {
      if (worker.fd < 0) continue;
      polls.push_back({worker.fd, POLLIN, 0});
      polled.push_back(&worker);
    }
    constexpr int kMilliseconds = 500;
    if (poll(polls.data(), polls.size(), kMilliseconds) < 0 && errno != EINTR) std::abort();
    for (size_t i = 0; i < polls.size(); ++i) {
      if (polls[i].revents != 0) Read(*polled[i]);
    }
    for (Worker& worker : workers_) {
      const auto limit = std::chrono::seconds(options_.seconds_a_job);
      if (worker.fd < 0 || worker.begun < 0 || worker.timed_out) continue;
      if (Clock::now() - worker.since < limit) continue;
      worker.timed_out = true;
      kill(worker.pid, SIGKILL);
    }
  }

  void Read(Worker& worker) {
    char bytes[4096];
    const ssize_t n = read(worker.fd, bytes, sizeof(bytes));
    if (n < 0 && errno == EINTR) return;
    if (n <= 0) return Bury(worker);
    worker.unread.append(bytes, static_cast<size_t>(n));
    for (size_t end; (end = worker.unread.find('\n')) != std::string::npos;) {
      Hear(worker, worker.unread.substr(0, end));
      worker.unread.erase(0, end + 1);
    }
  }

  void Hear(Worker& worker, const std::string& line) {
    const size_t first = line.find(' ');
    const size_t second = std::min(line.find(' ', first + 1), line.size());
    const int job = std::atoi(line.c_str() + first + 1);
    if (line.starts_with("begin")) {
      worker.begun = job;
      worker.since = Clock::now();
      return;
    }
    worker.begun = -1;
    worker.next = job + static_cast<int>(workers_.size());
    finished_(job, second < line.size() ? line.substr(second + 1) : "");
  }

  // The process has ended; another goes on with the jobs it leaves.
  void Bury(Worker& worker) {
    close(worker.fd);
    int status = 0;
    waitpid(worker.pid, &status, 0);
    if (worker.begun >= 0) {
      const std::string how = worker.timed_out
                                  ? StrCat("took longer than ", options_.seconds_a_job, " s")
                              : WIFSIGNALED(status) ? std::string(strsignal(WTERMSIG(status)))
                                                    : StrCat("exit ", WEXITSTATUS(status));
      finished_(worker.begun, StrCat("crashed: ", how));
      worker.next = worker.begun + static_cast<int>(workers_.size());
    }
    Start(worker);
  }

  const int count_;
  const WorkerOptions options_;
  const std::function<JobOutcome(int)>& run_;
  const std::function<void(int, const std::string&)>& finished_;
  std::vector<Worker> workers_;
};

}  // namespace

void RunInWorkers(int count, const WorkerOptions& options,
                  const std::function<JobOutcome(int job)>& run,
                  const std::function<void(int job, const std::string& text)>& finished) {
  Pool(count, options, run, finished).Run();
}

}  // namespace nereid::engine
