#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace nereid {

// A FIFO in one block of memory that grows by doubling: once warm, nothing is allocated. Elements
// are default-constructible and movable; places outside the queue hold moved-from ones.
template <typename T>
class RingQueue {
 public:
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  // Position 0 is the front.
  T& operator[](size_t i) { return cells_[(head_ + i) & (cells_.size() - 1)]; }
  const T& operator[](size_t i) const { return cells_[(head_ + i) & (cells_.size() - 1)]; }

  void PushBack(T value) {
    if (size_ == cells_.size()) Grow();
    ++size_;
    (*this)[size_ - 1] = std::move(value);
  }

  T PopFront() {
    T value = std::move((*this)[0]);
    head_ = (head_ + 1) & (cells_.size() - 1);
    if (--size_ == 0 && cells_.size() > kKeptCapacity) *this = RingQueue();
    return value;
  }

  // Takes element `i` out; the ones before it keep their order. O(i).
  T Remove(size_t i) {
    T value = std::move((*this)[i]);
    for (; i > 0; --i) (*this)[i] = std::move((*this)[i - 1]);
    PopFront();
    return value;
  }

 private:
  static constexpr size_t kFirstCapacity = 16;
  // What a burst left behind beyond this is given back when the queue runs empty.
  static constexpr size_t kKeptCapacity = 4096;

  void Grow() {
    std::vector<T> cells(cells_.empty() ? kFirstCapacity : 2 * cells_.size());
    for (size_t i = 0; i < size_; ++i) cells[i] = std::move((*this)[i]);
    cells_ = std::move(cells);
    head_ = 0;
  }

  std::vector<T> cells_;  // size is a power of two, or zero
  size_t head_ = 0;
  size_t size_ = 0;
};

}  // namespace nereid
