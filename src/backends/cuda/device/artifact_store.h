#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nereid::engine {

// What a set of results is of ("tactics of cuDNN on NVIDIA H200, 132 multiprocessors"), and what
// made them: results of another version of the same subject are of no use.
struct ArtifactScope {
  std::string subject;
  std::string version;
};

// Keeps small results that take long to find beyond the life of a process: winners of races,
// machine code of kernels. Whether it keeps a result is its own affair. Any thread.
class ArtifactStore {
 public:
  virtual ~ArtifactStore() = default;
  virtual std::optional<std::string> Find(const ArtifactScope& scope, std::string_view key) = 0;
  virtual void Remember(const ArtifactScope& scope, std::string_view key, std::string value) = 0;
};

}  // namespace nereid::engine
