#pragma once

#include <string>

namespace google::protobuf {
class Message;
}

namespace nereid {

// Path ("input[2].name") of the first string in `message` that is not UTF-8; empty when all are.
// Such a string could be neither printed as JSON nor read by a client.
std::string FindInvalidUtf8(const google::protobuf::Message& message);

}  // namespace nereid
