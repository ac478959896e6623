#include "net/exchange_state.h"

#include <utility>

#include "net/http_connection.h"

namespace nereid {

void ExchangeState::Unref() {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

template <typename Change>
void ExchangeState::Deliver(Change change) {
  absl::AnyInvocable<void()> obsolete;  // destroyed outside the lock: it may own anything
  const bool on_loop = loop_->InLoopThread();
  bool post = false;
  {
    std::lock_guard lock(mutex_);
    if (complete_) return;
    change();
    mail_.store(true, std::memory_order_release);
    if (complete_) obsolete = std::exchange(on_cancel_, nullptr);
    if (!on_loop) post = !std::exchange(posted_, true);
  }
  if (on_loop) {
    if (connection_ != nullptr) connection_->OnOutbox(this);
  } else if (post) {
    Ref();
    loop_->Post(this);
  }
}

void ExchangeState::Run() {
  {
    std::lock_guard lock(mutex_);
    posted_ = false;
  }
  if (connection_ != nullptr) connection_->OnOutbox(this);
  Unref();
}

void ExchangeState::Reply(HttpResponse response) {
  Deliver([&] {
    outbox_.head = std::move(response);
    outbox_.ended = complete_ = true;
  });
}

void ExchangeState::StartStream(HttpResponse head) {
  Deliver([&] {
    outbox_.head = std::move(head);
    outbox_.streaming = true;
  });
}

bool ExchangeState::Write(HttpSegment segment) {
  if (cancelled()) return false;
  Deliver([&] { outbox_.segments.push_back(std::move(segment)); });
  return !cancelled();
}

void ExchangeState::End() {
  Deliver([&] { outbox_.ended = complete_ = true; });
}

void ExchangeState::Release() {
  Deliver([&] {
    if (outbox_.streaming) {
      outbox_.aborted = true;
    } else {
      outbox_.head = MakeErrorResponse(500, "the request was dropped without an answer");
    }
    outbox_.ended = complete_ = true;
  });
  Unref();
}

void ExchangeState::OnCancel(absl::AnyInvocable<void()> callback) {
  {
    std::lock_guard lock(mutex_);
    if (complete_) return;
    if (!cancelled_.load(std::memory_order_relaxed)) {
      on_cancel_ = std::move(callback);
      return;
    }
  }
  callback();
}

ExchangeState::Outbox ExchangeState::TakeOutbox() {
  std::lock_guard lock(mutex_);
  mail_.store(false, std::memory_order_relaxed);
  Outbox taken = std::move(outbox_);
  outbox_ = Outbox();
  outbox_.streaming = taken.streaming;
  outbox_.ended = taken.ended;
  return taken;
}

void ExchangeState::Answer(HttpResponse response) {
  std::lock_guard lock(mutex_);
  outbox_.head = std::move(response);
  outbox_.ended = complete_ = true;
  mail_.store(true, std::memory_order_release);
}

void ExchangeState::Detach() {
  connection_ = nullptr;
  absl::AnyInvocable<void()> callback;
  {
    std::lock_guard lock(mutex_);
    if (complete_) return;
    cancelled_.store(true, std::memory_order_release);
    callback = std::exchange(on_cancel_, nullptr);
  }
  if (callback) callback();
}

}  // namespace nereid
