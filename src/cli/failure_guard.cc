#include "cli/failure_guard.h"

namespace nereid {

bool MayRestart(std::chrono::steady_clock::time_point now, int limit,
                std::vector<int64_t>* failures) {
  const auto ns = [](auto duration) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
  };
  const int64_t at = ns(now.time_since_epoch());
  std::erase_if(*failures, [&](int64_t failure) { return failure < at - ns(kFailureWindow); });
  failures->push_back(at);
  return failures->size() < static_cast<size_t>(limit);
}

}  // namespace nereid
