#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "common/strings.h"

namespace nereid {

// How the protocol words a value that is not what it should be.
inline constexpr std::string_view kNotString = "attempt to access JSON non-string as string";
inline constexpr std::string_view kNotBoolean = "attempt to access JSON non-boolean as boolean";
inline constexpr std::string_view kNotUnsigned =
    "attempt to access JSON non-unsigned-integer as unsigned-integer";
inline constexpr std::string_view kNotSigned =
    "attempt to access JSON non-signed-integer as signed-integer";
inline constexpr std::string_view kNotNumber = "attempt to access JSON non-number as double";
inline constexpr std::string_view kNotArray = "attempt to access JSON non-array as array";
inline constexpr std::string_view kNotObject = "attempt to get members for non-object";

// INTERNAL "Unable to parse '<field>': <what>".
inline absl::Status UnableToParse(std::string_view field, std::string_view what) {
  return absl::InternalError(StrCat("Unable to parse '", field, "': ", what));
}

inline absl::Status MissingMember(std::string_view field) {
  return absl::InternalError(StrCat(
      "Unable to parse '", field, "': attempt to access non-existing object member '", field, "'"));
}

}  // namespace nereid
