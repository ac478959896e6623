#pragma once

#include "absl/status/status.h"
#include "frontend/grpc/rpc_method.h"
#include "wire/outgoing_message.h"

namespace google::protobuf {
class MessageLite;
}

namespace nereid {

// Sends what the protobuf library says of broken messages to the log, where it is a verbose line.
void RouteProtobufLog();

// Reads a small message. INVALID_ARGUMENT when the bytes are not one.
absl::Status ParseControlMessage(const Payload& bytes, google::protobuf::MessageLite* message);

// Writes a small message. INTERNAL when it is too large for gRPC.
absl::StatusOr<OutgoingMessage> WriteControlMessage(const google::protobuf::MessageLite& message);

// Makes a handler of a function that answers at once:
//   absl::Status Function(const RpcEnvironment&, const Request&, Response*).
template <auto function>
struct ControlHandler;

template <typename Request, typename Response,
          absl::Status (*function)(const RpcEnvironment&, const Request&, Response*)>
struct ControlHandler<function> {
  static void Handle(const RpcEnvironment& environment, RpcCallHandle call) {
    Request request;
    Response response;
    absl::Status status = ParseControlMessage(call->TakeRequest(), &request);
    if (status.ok()) status = function(environment, request, &response);
    if (!status.ok()) return call.Fail(status);
    auto message = WriteControlMessage(response);
    if (!message.ok()) return call.Fail(message.status());
    call.Reply(*std::move(message));
  }
};

}  // namespace nereid
