#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nereid/buffer.h"

namespace nereid {

// Copies all bytes of `from` to the start of `to`, which has room for them, wherever the two are;
// done on return. A payload of one segment may overlap with its destination. INTERNAL when a device
// fails.
absl::Status CopyBytes(const Payload& from, const Buffer& to) noexcept;

// `payload` itself when the host can read it, otherwise a copy in host memory. RESOURCE_EXHAUSTED
// when memory is out, INTERNAL when a device fails.
absl::StatusOr<Payload> ToHost(Payload payload) noexcept;

}  // namespace nereid
