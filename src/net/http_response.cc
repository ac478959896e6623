#include "net/http_response.h"

#include <algorithm>
#include <array>

#include "common/strings.h"

namespace nereid {
namespace {

struct Reason {
  int status;
  std::string_view text;
};

constexpr std::array kReasons = {
    Reason{100, "Continue"},
    Reason{200, "OK"},
    Reason{201, "Created"},
    Reason{202, "Accepted"},
    Reason{204, "No Content"},
    Reason{206, "Partial Content"},
    Reason{301, "Moved Permanently"},
    Reason{302, "Found"},
    Reason{304, "Not Modified"},
    Reason{307, "Temporary Redirect"},
    Reason{308, "Permanent Redirect"},
    Reason{400, "Bad Request"},
    Reason{401, "Unauthorized"},
    Reason{403, "Forbidden"},
    Reason{404, "Not Found"},
    Reason{405, "Method Not Allowed"},
    Reason{406, "Not Acceptable"},
    Reason{408, "Request Timeout"},
    Reason{409, "Conflict"},
    Reason{411, "Length Required"},
    Reason{412, "Precondition Failed"},
    Reason{413, "Payload Too Large"},
    Reason{414, "URI Too Long"},
    Reason{415, "Unsupported Media Type"},
    Reason{417, "Expectation Failed"},
    Reason{422, "Unprocessable Entity"},
    Reason{429, "Too Many Requests"},
    Reason{431, "Request Header Fields Too Large"},
    Reason{499, "Client Closed Request"},
    Reason{500, "Internal Server Error"},
    Reason{501, "Not Implemented"},
    Reason{502, "Bad Gateway"},
    Reason{503, "Service Unavailable"},
    Reason{504, "Gateway Timeout"},
    Reason{505, "HTTP Version Not Supported"},
};

// Only what may stand in a JSON string literally; messages are ASCII of our own or a client's text.
void AppendJsonEscaped(std::string_view text, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      StrAppend(&out, "\\u00", kHex[(c >> 4) & 15], kHex[c & 15]);
    } else {
      out += c;
    }
  }
}

}  // namespace

HttpResponse::HttpResponse(int status, std::string_view content_type, std::string text)
    : status_(status), content_type_(content_type), text_(std::move(text)) {}

void HttpResponse::AddHeader(std::string_view name, std::string_view value) {
  const size_t start = header_lines_.size() + name.size() + 2;
  header_lines_.reserve(start + value.size() + 2);
  StrAppend(&header_lines_, name, ": ", value, "\r\n");
  std::replace_if(
      header_lines_.begin() + static_cast<ptrdiff_t>(start), header_lines_.end() - 2,
      [](char c) { return c == '\r' || c == '\n'; }, ' ');
}

void HttpResponse::AddSegment(HttpSegment segment) {
  if (segment.size > 0) segments_.push_back(std::move(segment));
}

void HttpResponse::AddSegment(std::shared_ptr<const void> owner, const void* data, size_t size) {
  AddSegment(HttpSegment{std::move(owner), static_cast<const char*>(data), size});
}

size_t HttpResponse::body_size() const {
  size_t size = text_.size();
  for (const HttpSegment& segment : segments_) size += segment.size;
  return size;
}

std::string_view HttpReason(int status) {
  const auto* it = std::lower_bound(kReasons.begin(), kReasons.end(), status,
                                    [](const Reason& r, int wanted) { return r.status < wanted; });
  return it != kReasons.end() && it->status == status ? it->text : "Unknown";
}

HttpResponse MakeErrorResponse(int status, std::string_view message) {
  std::string body = "{\"error\":\"";
  AppendJsonEscaped(message, body);
  body += "\"}";
  return HttpResponse(status, "text/plain", std::move(body));
}

}  // namespace nereid
