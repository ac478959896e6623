#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace nereid {

// Values by key, of which those found or kept most recently stay: at most so many. Any thread.
template <typename Key, typename Value>
class RecentMap {
 public:
  explicit RecentMap(size_t limit) : limit_(limit) {}

  std::optional<Value> Find(const Key& key) {
    const std::lock_guard lock(mutex_);
    return FindLocked(key);
  }

  // The value of that key, which is `make()` where there is none; that must not use the map.
  template <typename Make>
  Value FindOrKeep(const Key& key, Make make) {
    std::list<Entry> gone;  // destroyed without the lock
    const std::lock_guard lock(mutex_);
    if (const auto found = FindLocked(key)) return *found;
    Value value = make();
    KeepLocked(key, value, gone);
    return value;
  }

  // In place of an earlier value of that key.
  void Keep(const Key& key, Value value) {
    std::list<Entry> gone;  // destroyed without the lock
    const std::lock_guard lock(mutex_);
    KeepLocked(key, std::move(value), gone);
  }

  // What is too much goes.
  void SetLimit(size_t limit) {
    std::list<Entry> gone;
    const std::lock_guard lock(mutex_);
    limit_ = limit;
    Shrink(gone);
  }

  size_t size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
  }

 private:
  using Ages = std::list<const Key*>;  // most recent first
  struct Entry {
    Value value{};
    typename Ages::iterator age{};
  };

  std::optional<Value> FindLocked(const Key& key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return std::nullopt;
    ages_.splice(ages_.begin(), ages_, found->second.age);
    return found->second.value;
  }

  void KeepLocked(const Key& key, Value value, std::list<Entry>& gone) {
    const auto [row, is_new] = entries_.try_emplace(key);
    if (is_new) {
      ages_.push_front(&row->first);
      row->second.age = ages_.begin();
    } else {
      ages_.splice(ages_.begin(), ages_, row->second.age);
      gone.push_back(std::move(row->second));
    }
    row->second.value = std::move(value);
    Shrink(gone);
  }

  void Shrink(std::list<Entry>& gone) {
    while (entries_.size() > limit_) {
      const auto last = entries_.find(*ages_.back());
      gone.push_back(std::move(last->second));
      entries_.erase(last);
      ages_.pop_back();
    }
  }

  mutable std::mutex mutex_;
  size_t limit_;                  // guarded by mutex_
  std::map<Key, Entry> entries_;  // guarded by mutex_
  Ages ages_;                     // guarded by mutex_
};

}  // namespace nereid
