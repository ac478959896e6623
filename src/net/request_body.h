#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/page_pool.h"
#include "net/http_body.h"

namespace nereid {

// Collects one request body into one block of the shared pool: sized at once when the length is
// known, doubling otherwise.
class RequestBody {
 public:
  // Places byte `offset` of the body on a kBodyAlignment boundary. Before the first byte.
  void AlignAt(uint64_t offset) {
    lead_ = (kBodyAlignment - offset % kBodyAlignment) % kBodyAlignment;
  }

  // Makes room for `size` bytes in all. False when there is no memory.
  bool Reserve(uint64_t size);

  // Where the next bytes go.
  char* tail() const { return block_.data() + lead_ + size_; }
  size_t room() const { return block_ ? block_.size() - lead_ - kBodyPadding - size_ : 0; }
  void Advance(size_t bytes) { size_ += bytes; }

  // Copies behind the last byte, growing as needed. False when there is no memory.
  bool Append(std::string_view bytes);

  size_t size() const { return size_; }

  // Hands the body over; this object is empty afterwards.
  HttpBody Finish();

 private:
  PooledBlock block_;
  size_t lead_ = 0;  // unused bytes in front, for alignment
  size_t size_ = 0;
};

// A body of no bytes, with padding.
HttpBody EmptyBody();

}  // namespace nereid
