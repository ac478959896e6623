#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "net/http_request.h"

namespace nereid {

// Which model a path names.
struct ModelPath {
  std::string_view model;  // a view into the request
  int64_t version;         // kLatestVersion when the path has none
};

// INVALID_ARGUMENT when the version is no number that a version can have.
absl::StatusOr<ModelPath> ModelPathOf(const HttpRequest& request);

}  // namespace nereid
