#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"

namespace nereid {

// The names met so far in one request: usually a handful, which are compared one by one.
class NameSet {
 public:
  // False when `name` is there already. Keeps a copy only of long names and of large sets.
  bool Insert(std::string_view name) {
    if (!many_.empty()) return many_.emplace(name).second;
    for (const std::string& known : few_) {
      if (known == name) return false;
    }
    if (few_.size() < kFew) {
      few_.emplace_back(name);
      return true;
    }
    for (std::string& known : few_) many_.insert(std::move(known));
    return many_.emplace(name).second;
  }

  size_t size() const { return many_.empty() ? few_.size() : many_.size(); }

 private:
  static constexpr size_t kFew = 16;
  absl::InlinedVector<std::string, 4> few_;
  absl::flat_hash_set<std::string> many_;
};

}  // namespace nereid
