#include "frontend/grpc/control_message.h"

#include <google/protobuf/message_lite.h>
#include <google/protobuf/stubs/logging.h>

#include <limits>
#include <string>

#include "common/log.h"
#include "common/strings.h"

namespace nereid {

void RouteProtobufLog() {
  google::protobuf::SetLogHandler(
      [](google::protobuf::LogLevel, const char*, int, const std::string& text) {
        NVLOG(1) << "protobuf: " << text;
      });
}

absl::Status ParseControlMessage(const Payload& bytes, google::protobuf::MessageLite* message) {
  std::string joined;
  const char* data = reinterpret_cast<const char*>(bytes.data());
  if (!bytes.contiguous()) {
    joined.resize(bytes.byte_size());
    bytes.CopyTo(reinterpret_cast<std::byte*>(joined.data()));
    data = joined.data();
  }
  if (bytes.byte_size() <= std::numeric_limits<int>::max() &&
      message->ParseFromArray(data, static_cast<int>(bytes.byte_size()))) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      StrCat("failed to parse the ", message->GetTypeName(), " message"));
}

absl::StatusOr<OutgoingMessage> WriteControlMessage(const google::protobuf::MessageLite& message) {
  OutgoingMessage out;
  if (message.ByteSizeLong() > std::numeric_limits<int>::max() ||
      !message.SerializeToString(&out.text)) {
    return absl::InternalError(
        StrCat("the ", message.GetTypeName(), " message cannot be serialized"));
  }
  return out;
}

}  // namespace nereid
