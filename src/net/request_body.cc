#include "net/request_body.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace nereid {

bool RequestBody::Reserve(uint64_t size) {
  if (block_ && size <= size_ + room()) return true;
  if (size > SIZE_MAX - kBodyPadding - lead_) return false;
  PooledBlock block = PagePool::Shared().Allocate(lead_ + static_cast<size_t>(size) + kBodyPadding);
  if (!block) return false;
  if (size_ > 0) memcpy(block.data() + lead_, block_.data() + lead_, size_);
  block_ = std::move(block);
  return true;
}

bool RequestBody::Append(std::string_view bytes) {
  if (bytes.size() > room() && !Reserve(std::max(size_ + bytes.size(), 2 * size_))) return false;
  memcpy(tail(), bytes.data(), bytes.size());
  size_ += bytes.size();
  return true;
}

HttpBody RequestBody::Finish() {
  if (size_ == 0) {
    block_.Reset();
    return EmptyBody();
  }
  memset(tail(), 0, kBodyPadding);
  HttpBody body;
  body.data = block_.data() + lead_;
  body.size = std::exchange(size_, 0);
  body.owner = std::move(block_).Share();
  return body;
}

HttpBody EmptyBody() {
  static constexpr char kNothing[kBodyPadding] = {};
  return HttpBody{nullptr, kNothing, 0};
}

}  // namespace nereid
