#pragma once

#include <cstdint>

#include "nereid/buffer.h"

namespace nereid {

// What a walk over the length prefixes of a BYTES tensor finds.
struct StringElementScan {
  enum class Outcome : uint8_t {
    kComplete,          // the data ends exactly behind an element
    kTooMany,           // more than `limit` elements begin
    kTruncatedLength,   // fewer than 4 bytes are left for a length
    kTruncatedElement,  // a length reaches past the end of the data
  };
  Outcome outcome = Outcome::kComplete;
  int64_t element_count = 0;    // elements seen, the faulty one included
  uint64_t declared_size = 0;   // kTruncatedElement: the length of that element
  uint64_t available_size = 0;  // bytes that were left where the walk ended
};

// Walks `data`, which must be readable by the host and may be in any number of segments, and stops
// at the first fault. Looks at nothing but the prefixes.
StringElementScan ScanStringElements(const Payload& data, int64_t limit);

}  // namespace nereid
