#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace nereid::engine {

// Plan files in a folder that processes share. Functions, since all state is in the file system.

inline constexpr char kPlanSuffix[] = ".plan";

// Excludes other writers of one file, in this process and others, as long as it lives; makes an
// empty file when there is none.
class PlanLock {
 public:
  static absl::StatusOr<PlanLock> Acquire(const std::string& path);
  PlanLock(PlanLock&& other) noexcept;
  PlanLock& operator=(PlanLock&&) = delete;
  ~PlanLock();

 private:
  explicit PlanLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

// NOT_FOUND when there is no such file, or an empty one: that of a writer who has not come to it.
absl::StatusOr<std::string> ReadPlan(const std::string& path);

// Readers see the old bytes or the new ones, also after a power failure.
absl::Status ReplacePlan(const std::string& path, std::string_view bytes);

// Makes the file the one used last.
void TouchPlan(const std::string& path);

// Removes the plans of `folder` that have gone unused longest until all together have at most
// `limit` bytes; `keep` (a path) stays. Also what crashed writers left. Files whose names have
// another dot before ".plan" are nobody's cache and stay.
void EvictPlans(const std::string& folder, uint64_t limit, const std::string& keep);

}  // namespace nereid::engine
