#include "backend/scratch.h"

#include <bit>

#include "common/status_macros.h"
#include "memory/host_memory.h"

namespace nereid {

absl::StatusOr<std::byte*> Scratch::Reserve(size_t byte_size) {
  if (buffer_.data() == nullptr || buffer_.size() < byte_size) {
    buffer_ = Buffer();  // give the old block back first
    // Doubling keeps slowly growing batches from allocating each time.
    constexpr size_t kDoublingLimit = size_t{64} << 20;
    const size_t wanted = byte_size < kDoublingLimit ? std::bit_ceil(byte_size) : byte_size;
    NEREID_ASSIGN_OR_RETURN(buffer_, AllocateHost(wanted));
  }
  return buffer_.data();
}

}  // namespace nereid
