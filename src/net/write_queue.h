#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_response.h"

struct iovec;

namespace nereid {

// Bytes on their way to a socket: texts of its own and segments of others, in order, sent by
// scatter-gather. A segment's owner is released as soon as its last byte is sent. Loop thread only.
class WriteQueue {
 public:
  enum class Result { kDone, kBlocked, kError };

  // The text at the queue's end, to append to.
  std::string& Text();
  void Append(std::string_view text) { Text().append(text); }

  // Takes the text over without copying it.
  void Push(std::string text);
  void Push(HttpSegment segment);

  // Sends what the socket takes: one system call unless there are more than kMaxPieces pieces.
  // `sent` is set to the bytes sent. kError: the connection is broken.
  Result Flush(int fd, size_t* sent);

  bool empty() const { return first_ == pieces_.size(); }

  // Bytes not sent yet.
  size_t size() const;

 private:
  static constexpr int kMaxPieces = 128;

  // Either a segment or, when segment.data is null, a text.
  struct Piece {
    std::string text;
    HttpSegment segment;

    bool is_text() const { return segment.data == nullptr; }
    std::string_view view() const {
      return is_text() ? std::string_view(text) : std::string_view(segment.data, segment.size);
    }
  };

  int FillVector(iovec* vector, size_t* bytes) const;
  void Sent(size_t bytes);
  void PopFront();

  std::vector<Piece> pieces_;
  size_t first_ = 0;   // pieces before it are sent
  size_t offset_ = 0;  // bytes sent of pieces_[first_]
  std::string spare_;  // capacity of a text that was sent, for the next one
};

}  // namespace nereid
