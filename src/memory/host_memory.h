#pragma once

#include <cstddef>

#include "absl/status/statusor.h"
#include "nereid/buffer.h"

namespace nereid {

// A host block of at least `byte_size` bytes (never null, even for 0), 64-byte aligned and not
// cleared. Small blocks come from the heap, large ones from the process's page pool, so that reuse
// does not touch fresh pages. RESOURCE_EXHAUSTED when memory is out.
absl::StatusOr<Buffer> AllocateHost(size_t byte_size) noexcept;

}  // namespace nereid
