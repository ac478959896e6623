#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "common/page_pool.h"
#include "net/http_body.h"

namespace nereid {

// What a connection has received and not parsed yet, in a block that requests share: heads, and
// bodies that arrived with them, are used where they lie. A block is refilled from its start when
// no request holds it any more; otherwise reading goes on behind its last byte, or in a new block.
// Loop thread only, but for the owner handles.
class ReadBuffer {
 public:
  // Unparsed bytes.
  std::string_view unparsed() const { return {data() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  void Consume(size_t bytes) { begin_ += bytes; }

  // Makes room to receive: at least one byte, and `wanted` bytes where a new block is needed.
  // False when there is no memory.
  bool Prepare(size_t wanted);
  char* tail() const { return data() + end_; }
  size_t room() const { return capacity() - end_; }
  void Received(size_t bytes) { end_ += bytes; }

  // True when `bytes` bytes from the first unparsed one fit this block.
  bool CanHold(size_t bytes) const { return bytes <= capacity() - begin_; }

  const std::shared_ptr<const void>& owner() const { return block_; }

  // Gives the block back, when it is empty.
  void ReleaseIfIdle() {
    if (empty() && Exclusive()) *this = ReadBuffer();
  }

 private:
  char* data() const { return data_; }
  // The padding behind a body that ends the block stays inside it.
  size_t capacity() const { return size_ == 0 ? 0 : size_ - kBodyPadding; }
  bool Exclusive() const;

  std::shared_ptr<const void> block_;
  char* data_ = nullptr;
  size_t size_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace nereid
