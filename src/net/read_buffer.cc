#include "net/read_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace nereid {
namespace {

// With less room than this behind a shared block's last byte a new block is cheaper than the
// second read that the rest of a request would need.
constexpr size_t kMinRoom = 4096;

}  // namespace

bool ReadBuffer::Exclusive() const {
  if (block_.use_count() != 1) return false;
  // Reading the count does not order what other holders did before they let go; passing through it
  // does.
  const std::shared_ptr<const void> ordered = block_;
  return true;
}

bool ReadBuffer::Prepare(size_t wanted) {
  if (empty()) {
    if (end_ > 0 && Exclusive()) begin_ = end_ = 0;
    if (size_ >= wanted && (end_ == 0 || room() >= kMinRoom)) return true;
  } else if (room() > 0) {
    return true;
  }
  const std::string_view rest = unparsed();
  PooledBlock block = PagePool::Shared().Allocate(std::max(wanted, rest.size() * 2));
  if (!block) return false;
  if (!rest.empty()) memcpy(block.data(), rest.data(), rest.size());
  data_ = block.data();
  size_ = block.size();
  begin_ = 0;
  end_ = rest.size();
  block_ = std::move(block).Share();
  return true;
}

}  // namespace nereid
