#include "net/event_loop.h"

#include <event2/event.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "common/deferred_wakeups.h"

namespace nereid {
namespace {

thread_local const EventLoop* current_loop = nullptr;

class CallableTask final : public LoopTask {
 public:
  explicit CallableTask(absl::AnyInvocable<void()> fn) : fn_(std::move(fn)) {}
  void Run() override {
    fn_();
    delete this;
  }
  void Abandon() override { delete this; }

 private:
  absl::AnyInvocable<void()> fn_;
};

void WriteWakeFd(int fd) {
  const uint64_t one = 1;
  // Fails only when the counter is full, and then the loop is awake anyway.
  [[maybe_unused]] const ssize_t written = write(fd, &one, sizeof(one));
}

timeval ToTimeval(std::chrono::milliseconds delay) {
  return {delay.count() / 1000, (delay.count() % 1000) * 1000};
}

}  // namespace

absl::StatusOr<std::shared_ptr<EventLoop>> EventLoop::Create(const std::string& name) {
  std::shared_ptr<EventLoop> loop(new EventLoop);
  if (absl::Status status = loop->Init(name); !status.ok()) return status;
  return loop;
}

absl::Status EventLoop::Init(const std::string& name) {
  event_config* config = event_config_new();
  // Only the loop thread touches the base.
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  event_config_require_features(config, EV_FEATURE_ET);
  base_ = event_base_new_with_config(config);
  event_config_free(config);
  if (base_ == nullptr) return absl::ResourceExhaustedError("cannot create an event loop");
  wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_fd_ < 0) return absl::ErrnoToStatus(errno, "cannot create an eventfd");
  // Edge-triggered: each write is a new edge, so the counter need not be read.
  wake_event_ = event_new(
      base_, wake_fd_, EV_READ | EV_PERSIST | EV_ET,
      [](evutil_socket_t, short, void* self) { static_cast<EventLoop*>(self)->MarkAwake(); }, this);
  event_add(wake_event_, nullptr);
  thread_ = std::thread([this] { ThreadMain(); });
  pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
  return absl::OkStatus();
}

EventLoop::~EventLoop() {
  Stop();
  if (wake_event_ != nullptr) event_free(wake_event_);
  if (base_ != nullptr) event_base_free(base_);
  if (wake_fd_ >= 0) close(wake_fd_);
}

void EventLoop::ThreadMain() {
  current_loop = this;
  while (!stopping_.load(std::memory_order_acquire)) {
    RunPosted();
    // The flag goes up before the list is looked at again: a post after that look sees the flag.
    asleep_.store(true, std::memory_order_seq_cst);
    const bool must_not_sleep = HasPosted() || stopping_.load(std::memory_order_acquire);
    if (must_not_sleep) MarkAwake();
    {
      DeferredWakeups::Scope scope;
      event_base_loop(base_, EVLOOP_ONCE | (must_not_sleep ? EVLOOP_NONBLOCK : 0));
    }
    MarkAwake();
  }
  current_loop = nullptr;
}

void EventLoop::RunPosted() {
  LoopTask* task;
  {
    std::lock_guard lock(mutex_);
    task = std::exchange(first_, nullptr);
    last_ = nullptr;
  }
  if (task == nullptr) return;
  DeferredWakeups::Scope scope;
  while (task != nullptr) {
    LoopTask* next = std::exchange(task->next_, nullptr);
    task->Run();
    task = next;
  }
}

bool EventLoop::HasPosted() {
  std::lock_guard lock(mutex_);
  return first_ != nullptr;
}

void EventLoop::Post(LoopTask* task) {
  {
    std::lock_guard lock(mutex_);
    if (!closed_) {
      (last_ == nullptr ? first_ : last_->next_) = task;
      last_ = task;
      task = nullptr;
    }
  }
  if (task != nullptr) {
    task->Abandon();
  } else if (asleep_.exchange(false, std::memory_order_seq_cst)) {
    WriteWakeFd(wake_fd_);
  }
}

void EventLoop::Post(absl::AnyInvocable<void()> fn) { Post(new CallableTask(std::move(fn))); }

bool EventLoop::InLoopThread() const { return current_loop == this; }

void EventLoop::Stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true, std::memory_order_release);
  WriteWakeFd(wake_fd_);
  thread_.join();
  LoopTask* task;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    task = std::exchange(first_, nullptr);
    last_ = nullptr;
  }
  while (task != nullptr) {
    LoopTask* next = std::exchange(task->next_, nullptr);
    task->Abandon();
    task = next;
  }
}

LoopTimer::LoopTimer(EventLoop* loop, absl::AnyInvocable<void()> callback)
    : loop_(loop),
      callback_(std::move(callback)),
      event_(event_new(loop->base(), -1, 0, &LoopTimer::OnTimeout, this)) {}

LoopTimer::~LoopTimer() { event_free(event_); }

void LoopTimer::Start(std::chrono::milliseconds delay) {
  const timeval timeout = ToTimeval(delay);
  event_add(event_, &timeout);
}

void LoopTimer::Stop() { event_del(event_); }

void LoopTimer::OnTimeout(int, short, void* self) {
  auto* timer = static_cast<LoopTimer*>(self);
  timer->loop_->MarkAwake();
  timer->callback_();
}

}  // namespace nereid
