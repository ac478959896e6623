#include "net/response_writer.h"

#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

namespace nereid {
namespace {

// Up to this size copying a body behind its head is cheaper than a piece of its own.
constexpr size_t kMaxInlineText = 4096;

void AppendNumber(uint64_t number, int base, std::string& out) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr;
  out.append(digits.data(), static_cast<size_t>(end - digits.data()));
}

// 1xx, 204 and 304 have neither a body nor a length.
bool HasNoBody(int status) { return status < 200 || status == 204 || status == 304; }

void AppendHead(ResponseFraming framing, const HttpResponse& response, std::string& out) {
  if (response.status() == 200) {
    out += "HTTP/1.1 200 OK\r\nContent-Type: ";
  } else {
    out += "HTTP/1.1 ";
    AppendNumber(static_cast<uint64_t>(response.status()), 10, out);
    out += ' ';
    out += HttpReason(response.status());
    out += "\r\nContent-Type: ";
  }
  out += response.content_type();
  out += "\r\n";
  out += response.header_lines();
  if (framing.close) {
    out += "Connection: close\r\n";
  } else if (framing.version_minor == 0) {
    out += "Connection: keep-alive\r\n";
  }
}

void PushSmallOrWhole(std::string text, WriteQueue& out) {
  if (text.size() <= kMaxInlineText) {
    out.Append(text);
  } else {
    out.Push(std::move(text));
  }
}

void PushSmallOrWhole(HttpSegment segment, WriteQueue& out) {
  if (segment.size <= kMaxInlineText) {
    out.Append({segment.data, segment.size});
  } else {
    out.Push(std::move(segment));
  }
}

}  // namespace

void WriteResponse(ResponseFraming framing, HttpResponse response, WriteQueue& out) {
  std::string& head = out.Text();
  AppendHead(framing, response, head);
  if (HasNoBody(response.status())) {
    head += "\r\n";
    return;
  }
  head += "Content-Length: ";
  AppendNumber(response.body_size(), 10, head);
  head += "\r\n\r\n";
  if (framing.head_only) return;
  PushSmallOrWhole(std::move(response.text()), out);
  for (HttpSegment& segment : response.segments()) PushSmallOrWhole(std::move(segment), out);
}

void WriteStreamHead(ResponseFraming framing, HttpResponse response, WriteQueue& out) {
  std::string& head = out.Text();
  AppendHead(framing, response, head);
  head += framing.version_minor == 0 ? "\r\n" : "Transfer-Encoding: chunked\r\n\r\n";
  if (!response.text().empty()) {
    auto text = std::make_shared<std::string>(std::move(response.text()));
    WriteStreamData(framing, {text, text->data(), text->size()}, out);
  }
  for (HttpSegment& segment : response.segments()) {
    WriteStreamData(framing, std::move(segment), out);
  }
}

void WriteStreamData(ResponseFraming framing, HttpSegment segment, WriteQueue& out) {
  if (segment.size == 0 || framing.head_only) return;
  const bool chunked = framing.version_minor != 0;
  std::string& text = out.Text();
  if (chunked) {
    AppendNumber(segment.size, 16, text);
    text += "\r\n";
  }
  PushSmallOrWhole(std::move(segment), out);
  if (chunked) out.Append("\r\n");
}

void WriteStreamEnd(ResponseFraming framing, WriteQueue& out) {
  if (framing.version_minor != 0 && !framing.head_only) out.Append("0\r\n\r\n");
}

void WriteContinue(WriteQueue& out) { out.Append("HTTP/1.1 100 Continue\r\n\r\n"); }

}  // namespace nereid
