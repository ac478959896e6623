#pragma once

#include <string>
#include <string_view>

namespace nereid {

// Appends `text` as a JSON string, quotes included. Bytes that are not valid UTF-8 become U+FFFD,
// so that the result is always valid JSON.
void AppendJsonString(std::string_view text, std::string& out);

}  // namespace nereid
