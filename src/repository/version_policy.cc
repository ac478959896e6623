#include "repository/version_policy.h"

#include <algorithm>
#include <set>

#include "proto/model_config.pb.h"

namespace nereid {
namespace {

VersionSelection SelectSpecific(absl::Span<const int64_t> available,
                                const inference::ModelVersionPolicy::Specific& specific) {
  VersionSelection selection;
  const std::set<int64_t> wanted(specific.versions().begin(), specific.versions().end());
  for (const int64_t version : wanted) {
    const bool present = std::binary_search(available.begin(), available.end(), version);
    (present ? selection.serve : selection.missing).push_back(version);
  }
  return selection;
}

}  // namespace

VersionSelection SelectVersions(absl::Span<const int64_t> available,
                                const inference::ModelVersionPolicy& policy) {
  if (policy.has_specific()) return SelectSpecific(available, policy.specific());
  size_t count = available.size();
  if (policy.has_latest()) count = std::min<size_t>(count, policy.latest().num_versions());
  return {.serve = {available.end() - static_cast<ptrdiff_t>(count), available.end()},
          .missing = {}};
}

}  // namespace nereid
