#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/inlined_vector.h"

namespace nereid {

// Bytes that are sent from where they lie; `owner` is released as soon as they are sent.
struct HttpSegment {
  std::shared_ptr<const void> owner;
  const char* data = nullptr;
  size_t size = 0;
};

// One response: status, headers, and a body made of a leading text followed by segments. Nothing of
// it is copied on the way to the socket. Movable, not thread-safe.
//
// The connection adds the status line, Content-Length, Transfer-Encoding and Connection; do not add
// those.
class HttpResponse {
 public:
  explicit HttpResponse(int status = 200) : status_(status) {}

  // Status, Content-Type and the whole body in one go.
  HttpResponse(int status, std::string_view content_type, std::string text);

  HttpResponse(HttpResponse&&) noexcept = default;
  HttpResponse& operator=(HttpResponse&&) noexcept = default;

  int status() const { return status_; }
  void set_status(int status) { status_ = status; }

  // text/plain when never set; the last call counts. The text must live until the response is
  // handed over (a literal, usually).
  void set_content_type(std::string_view content_type) { content_type_ = content_type; }
  std::string_view content_type() const { return content_type_; }

  // Appends a header line. Line breaks in the value become blanks.
  void AddHeader(std::string_view name, std::string_view value);
  const std::string& header_lines() const { return header_lines_; }

  // The part of the body in front of all segments.
  std::string& text() { return text_; }
  const std::string& text() const { return text_; }

  // Appends to the body; empty segments are ignored.
  void AddSegment(HttpSegment segment);
  void AddSegment(std::shared_ptr<const void> owner, const void* data, size_t size);

  using Segments = absl::InlinedVector<HttpSegment, 2>;
  Segments& segments() { return segments_; }
  const Segments& segments() const { return segments_; }

  // Length of the text and all segments.
  size_t body_size() const;

  // The connection is closed when this response has been sent.
  void CloseConnection() { close_ = true; }
  bool closes_connection() const { return close_; }

 private:
  int status_;
  bool close_ = false;
  std::string_view content_type_ = "text/plain";
  std::string header_lines_;
  std::string text_;
  Segments segments_;
};

// The text of a status code, "Unknown" when it has none.
std::string_view HttpReason(int status);

// {"error":"<message>"} as text/plain, the form of every error the transport reports itself.
HttpResponse MakeErrorResponse(int status, std::string_view message);

}  // namespace nereid
