#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "infer/servable.h"

namespace nereid {

inline constexpr int64_t kLatestVersion = -1;

// Finds the version that serves a name. Any thread, without locks: it is asked once per request.
class ModelResolver {
 public:
  virtual ~ModelResolver() = default;

  // `version` is kLatestVersion for the highest version that is READY. Errors carry the texts of
  // the protocol: NOT_FOUND for an unknown model or version, UNAVAILABLE for one not READY.
  virtual absl::StatusOr<ServableHandle> Resolve(std::string_view model, int64_t version) const = 0;
};

}  // namespace nereid
