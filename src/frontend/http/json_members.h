#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wire/json_value.h"

namespace nereid {

// The first member of that name of a value that may be absent or anything else.
inline std::optional<JsonValue> FindMember(const std::optional<JsonValue>& object,
                                           std::string_view wanted) {
  std::optional<JsonValue> found;
  if (!object) return found;
  std::string scratch;
  object->ForEachMember(&scratch, [&](std::string_view name, const JsonValue& value) {
    if (name == wanted) found = value;
    return !found;
  });
  return found;
}

}  // namespace nereid
