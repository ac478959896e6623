#pragma once

#include <string>
#include <string_view>

namespace nereid {

// The bytes that `text` encodes. Characters outside the alphabet are passed over, and so is an
// incomplete group at the end.
std::string DecodeBase64(std::string_view text);

}  // namespace nereid
