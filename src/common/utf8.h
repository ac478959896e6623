#pragma once

#include <cstddef>
#include <string_view>

namespace nereid {

// Bytes of the code point at the start of `text`, which is not empty; 0 when none is well-formed:
// no overlong forms, no surrogates, nothing above U+10FFFF.
size_t Utf8Length(std::string_view text);

// True when `text` is well-formed UTF-8. Quick for text of ASCII alone.
bool IsValidUtf8(std::string_view text);

}  // namespace nereid
