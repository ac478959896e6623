#pragma once

#include "net/http_request.h"
#include "net/http_response.h"
#include "net/write_queue.h"

namespace nereid {

// What the framing of a response depends on besides the response itself.
struct ResponseFraming {
  uint8_t version_minor = 1;  // of the request
  bool head_only = false;     // the request was HEAD: no body, whatever the response holds
  bool close = false;         // say Connection: close
};

// Appends a whole response: head with Content-Length, text and segments.
void WriteResponse(ResponseFraming framing, HttpResponse response, WriteQueue& out);

// Appends the head of a response whose length is not known, and its first bytes: chunked for
// HTTP/1.1, ended by closing the connection for HTTP/1.0 (framing.close must be set then).
void WriteStreamHead(ResponseFraming framing, HttpResponse response, WriteQueue& out);
void WriteStreamData(ResponseFraming framing, HttpSegment segment, WriteQueue& out);
void WriteStreamEnd(ResponseFraming framing, WriteQueue& out);

// Appends the interim response that lets the client send its body.
void WriteContinue(WriteQueue& out);

}  // namespace nereid
