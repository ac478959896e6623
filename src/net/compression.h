#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "net/http_body.h"
#include "net/http_response.h"

namespace nereid {

// deflate is the zlib format (RFC 1950), as HTTP has it.
enum class ContentEncoding { kIdentity, kDeflate, kGzip };

std::string_view ContentEncodingName(ContentEncoding encoding);

// The encoding a Content-Encoding value names: "gzip", "deflate", "identity" or "" exactly; absent
// for anything else.
std::optional<ContentEncoding> ParseContentEncoding(std::string_view value);

// The encoding for a response, from an Accept-Encoding value: the highest weight among the three,
// the earlier entry at equal weights, weight 0 forbids; identity when no entry is usable.
ContentEncoding PickEncoding(std::string_view accept_encoding);

// Unpacks a request body into a block from the shared pool, with kBodyPadding behind it. Both
// formats are recognised whatever `encoding` says.
//   InvalidArgument "failed to decompress the request body as <encoding>": damaged, cut short, or
//     followed by other bytes.
//   ResourceExhausted "Decompressed data size exceeds the maximum allowed value of <M> bytes.":
//     more than `max_bytes` (found before they are stored).
absl::StatusOr<HttpBody> Decompress(ContentEncoding encoding, const HttpBody& body,
                                    uint64_t max_bytes);

// Replaces the response's body by its compressed form and adds Content-Encoding. Identity does
// nothing; so does an empty body.
absl::Status CompressBody(ContentEncoding encoding, HttpResponse& response);

}  // namespace nereid
