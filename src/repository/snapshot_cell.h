#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

namespace nereid {

// The position of the calling thread in the order in which threads first asked: spreads threads
// over stripes of counters.
inline unsigned ThreadStripe() {
  static std::atomic<unsigned> next{0};
  thread_local const unsigned stripe = next.fetch_add(1, std::memory_order_relaxed);
  return stripe;
}

// Holds one immutable object that many threads read and few replace.
//
// Guarantees
//  1. Reading takes no lock, waits for nobody and writes one cache line, which threads share only
//     when there are more than kStripes of them.
//  2. A reader sees one object, whole, for as long as its Reader lives.
//  3. Replace() returns after every reader of the old object has left, and has destroyed it:
//  nothing
//     keeps an old object alive behind the back of who replaced it. Readers must not block.
//
// Proof of 3: a reader first counts itself in, then loads the pointer; a writer first exchanges the
// pointer, then waits until it has seen every counter at zero. All four are sequentially
// consistent, so a reader that the writer did not see counts itself in after the exchange and gets
// the new object.
template <typename T>
class SnapshotCell {
 public:
  static constexpr unsigned kStripes = 64;

  explicit SnapshotCell(std::unique_ptr<const T> object) : object_(object.release()) {}
  ~SnapshotCell() { delete object_.load(); }
  SnapshotCell(const SnapshotCell&) = delete;
  SnapshotCell& operator=(const SnapshotCell&) = delete;

  // Access to the object, for a short time and on one thread.
  class Reader {
   public:
    explicit Reader(const SnapshotCell& cell)
        : readers_(cell.stripes_[ThreadStripe() % kStripes].readers) {
      readers_.fetch_add(1, std::memory_order_seq_cst);
      object_ = cell.object_.load(std::memory_order_seq_cst);
    }
    ~Reader() { readers_.fetch_sub(1, std::memory_order_release); }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    const T& operator*() const { return *object_; }
    const T* operator->() const { return object_; }

   private:
    std::atomic<int>& readers_;
    const T* object_;
  };

  // Exchanges the object for change(old object), which may not read this cell. Writers take turns.
  template <typename Change>
  void Replace(Change&& change) {
    const std::lock_guard lock(writer_);
    std::unique_ptr<const T> next = change(*object_.load(std::memory_order_relaxed));
    const std::unique_ptr<const T> old(object_.exchange(next.release(), std::memory_order_seq_cst));
    for (const Stripe& stripe : stripes_) {
      while (stripe.readers.load(std::memory_order_seq_cst) != 0) std::this_thread::yield();
    }
  }

 private:
  struct alignas(64) Stripe {
    std::atomic<int> readers{0};
  };

  mutable std::array<Stripe, kStripes> stripes_;
  std::atomic<const T*> object_;
  std::mutex writer_;
};

}  // namespace nereid
