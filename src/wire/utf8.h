#pragma once

#include <string_view>

namespace nereid {

// True when `text` is well-formed UTF-8.
bool IsUtf8(std::string_view text);

}  // namespace nereid
