#pragma once

#include <grpcpp/support/byte_buffer.h>

#include "nereid/buffer.h"
#include "wire/outgoing_message.h"

namespace nereid {

// Between messages of grpc++ and ours, without copying payloads. For .cc files of this folder only.

// The bytes that arrived, kept alive by the payload. Leaves `buffer` empty.
Payload ToPayload(grpc::ByteBuffer* buffer);

// The message as slices that release what they refer to once they have been sent.
grpc::ByteBuffer ToByteBuffer(const OutgoingMessage& message);

}  // namespace nereid
