#pragma once

#include <memory>

namespace nereid {

// Something that sleeping threads wait on. Wake() may be called from any thread, spuriously too.
class Wakeable {
 public:
  virtual ~Wakeable() = default;
  virtual void Wake() noexcept = 0;
};

// Gathers the wake-ups a thread causes while it works through a batch of events, and performs each
// once at the end: waking a worker per request costs more than handling the request.
//
// A thread opens a Scope around one round of work. Inside it, WakeLater(w) notes w; when the
// outermost scope of the thread closes, every noted object is woken once. Without a scope WakeLater
// wakes at once.
class DeferredWakeups {
 public:
  class Scope {
   public:
    Scope();
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
  };

  static void WakeLater(const std::shared_ptr<Wakeable>& wakeable);
};

}  // namespace nereid
