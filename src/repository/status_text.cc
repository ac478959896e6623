#include "repository/status_text.h"

#include <string_view>

#include "common/strings.h"

namespace nereid {
namespace {

std::string_view Label(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return "OK";
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
      return "Invalid argument";
    case absl::StatusCode::kNotFound:
      return "Not found";
    case absl::StatusCode::kAlreadyExists:
      return "Already exists";
    case absl::StatusCode::kUnimplemented:
      return "Unsupported";
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
      return "Unavailable";
    case absl::StatusCode::kCancelled:
      return "Cancelled";
    case absl::StatusCode::kUnknown:
      return "Unknown";
    default:
      return "Internal";
  }
}

}  // namespace

std::string StatusText(const absl::Status& status) {
  return StrCat(Label(status.code()), ": ", status.message());
}

}  // namespace nereid
