#include "net/write_queue.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <utility>

namespace nereid {
namespace {

constexpr size_t kMaxSpareCapacity = 64 * 1024;
constexpr int kSendFlags = MSG_NOSIGNAL | MSG_DONTWAIT;

ssize_t Send(int fd, iovec* vector, int count) {
  // A small response is one piece: the system has no vector to copy and check.
  if (count == 1) return send(fd, vector[0].iov_base, vector[0].iov_len, kSendFlags);
  msghdr message = {};
  message.msg_iov = vector;
  message.msg_iovlen = static_cast<size_t>(count);
  return sendmsg(fd, &message, kSendFlags);
}

}  // namespace

std::string& WriteQueue::Text() {
  if (empty() || !pieces_.back().is_text()) {
    spare_.clear();
    pieces_.push_back({std::move(spare_), {}});
  }
  return pieces_.back().text;
}

void WriteQueue::Push(std::string text) {
  if (!text.empty()) pieces_.push_back({std::move(text), {}});
}

void WriteQueue::Push(HttpSegment segment) {
  if (segment.size > 0) pieces_.push_back({{}, std::move(segment)});
}

size_t WriteQueue::size() const {
  size_t size = 0;
  for (size_t i = first_; i < pieces_.size(); ++i) size += pieces_[i].view().size();
  return size - offset_;
}

int WriteQueue::FillVector(iovec* vector, size_t* bytes) const {
  int count = 0;
  size_t skip = offset_;
  *bytes = 0;
  for (size_t i = first_; i < pieces_.size() && count < kMaxPieces; ++i) {
    const std::string_view view = pieces_[i].view().substr(std::exchange(skip, 0));
    vector[count++] = {const_cast<char*>(view.data()), view.size()};
    *bytes += view.size();
  }
  return count;
}

WriteQueue::Result WriteQueue::Flush(int fd, size_t* sent) {
  *sent = 0;
  while (!empty()) {
    iovec vector[kMaxPieces];
    size_t bytes = 0;
    const ssize_t n = Send(fd, vector, FillVector(vector, &bytes));
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK ? Result::kBlocked : Result::kError;
    }
    *sent += static_cast<size_t>(n);
    Sent(static_cast<size_t>(n));
    if (static_cast<size_t>(n) < bytes) return Result::kBlocked;
  }
  return Result::kDone;
}

void WriteQueue::Sent(size_t bytes) {
  offset_ += bytes;
  while (!empty() && offset_ >= pieces_[first_].view().size()) {
    offset_ -= pieces_[first_].view().size();
    PopFront();
  }
  if (empty()) {
    pieces_.clear();
    first_ = 0;
  } else if (first_ > 64 && first_ * 2 > pieces_.size()) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<ptrdiff_t>(first_));
    first_ = 0;
  }
}

void WriteQueue::PopFront() {
  Piece& piece = pieces_[first_++];
  if (piece.is_text()) {
    if (piece.text.capacity() <= kMaxSpareCapacity && piece.text.capacity() > spare_.capacity()) {
      spare_ = std::move(piece.text);
    }
  } else {
    piece.segment.owner.reset();
  }
}

}  // namespace nereid
