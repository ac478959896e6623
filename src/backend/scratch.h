#pragma once

#include <cstddef>

#include "absl/status/statusor.h"
#include "nereid/buffer.h"

namespace nereid {

// A host block that an instance uses again from batch to batch; it grows to the largest size asked
// for. One thread at a time.
class Scratch {
 public:
  // A 64-byte aligned block of at least `byte_size` bytes, never null, contents undefined. Earlier
  // blocks of this scratch are no longer valid. RESOURCE_EXHAUSTED when memory is out.
  absl::StatusOr<std::byte*> Reserve(size_t byte_size);

 private:
  Buffer buffer_;
};

}  // namespace nereid
