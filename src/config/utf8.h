#pragma once

#include <string>
#include <string_view>

namespace google::protobuf {
class Message;
}

namespace nereid {

// True for well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsValidUtf8(std::string_view text);

// Path ("input[2].name") of the first string in `message` that is not UTF-8; empty when all are.
// Such a string could be neither printed as JSON nor read by a client.
std::string FindInvalidUtf8(const google::protobuf::Message& message);

}  // namespace nereid
