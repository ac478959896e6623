#include "wire/model_version.h"

#include <charconv>

#include "common/strings.h"
#include "infer/model_resolver.h"

namespace nereid {

absl::StatusOr<int64_t> ParseModelVersion(std::string_view text) {
  if (text.empty()) return kLatestVersion;
  int64_t version = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, version);
  if (error != std::errc() || stop != end) {
    return absl::InvalidArgumentError(
        StrCat("failed to get model version from specified version string '", text,
               "' (details: stol), version should be an integral value > 0"));
  }
  if (version < 0) {
    return absl::InvalidArgumentError(StrCat("invalid model version specified '", text,
                                             "' , version should be an integral value > 0"));
  }
  return version;
}

}  // namespace nereid
