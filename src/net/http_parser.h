#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "net/http_request.h"

namespace nereid {

// Why a request is refused by the transport itself.
struct HttpError {
  int status;
  std::string message;
};

// Parses a complete head (request line to empty line, as HeadScanner finds it) into `request`; all
// views point into `head`. Sets everything but body, route and head_owner.
//
// Parser: Boost.Beast's basic_parser with a field callback of our own. Of the parsers at hand it is
// maintained, header-only and in Debian, strict about line endings and field syntax, and the
// fastest of those measured (393 ns for a head of 161 bytes, 699 ns for 336; http-parser, which is
// archived, 672 and 1,206; Beast's own request_parser with a field container 735 and 1,345).
//
// Beyond the syntax it refuses what could make two parties see different messages: more than one
// Content-Length, Transfer-Encoding or Host, Content-Length with Transfer-Encoding, any transfer
// coding but "chunked", and any in HTTP/1.0. Errors: 400, 417, 501, 505.
std::optional<HttpError> ParseHead(std::string_view head, HttpRequest* request);

}  // namespace nereid
