#pragma once

#include <cstddef>
#include <string_view>

namespace nereid {

// Writes `text` with %XX escapes replaced to `out`, which has room for text.size() bytes, and
// returns the length. An escape that is not valid stays as it is.
size_t PercentDecode(std::string_view text, char* out);

}  // namespace nereid
