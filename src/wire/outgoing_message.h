#pragma once

#include <cstddef>
#include <string>

#include "absl/container/inlined_vector.h"
#include "nereid/buffer.h"

namespace nereid {

// A message on its way out: bytes written for it, with blocks that stay where they are in between.
struct OutgoingMessage {
  // `data` goes in front of text[offset]; offsets ascend.
  struct Insert {
    size_t offset = 0;
    Payload data;
  };

  std::string text;
  absl::InlinedVector<Insert, 2> inserts;

  size_t byte_size() const {
    size_t size = text.size();
    for (const Insert& insert : inserts) size += insert.data.byte_size();
    return size;
  }
};

}  // namespace nereid
