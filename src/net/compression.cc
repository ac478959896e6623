#include "net/compression.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "common/page_pool.h"
#include "common/strings.h"
#include "net/request_body.h"
#include "net/text.h"

namespace nereid {
namespace {

struct EncodingRow {
  ContentEncoding encoding;
  std::string_view name;
  int deflate_window;  // zlib's windowBits: what format deflateInit2 writes
};

constexpr std::array kEncodings = {
    EncodingRow{ContentEncoding::kIdentity, "identity", 0},
    EncodingRow{ContentEncoding::kDeflate, "deflate", MAX_WBITS},
    EncodingRow{ContentEncoding::kGzip, "gzip", MAX_WBITS + 16},
};
// Accepts both formats, telling them apart by their headers.
constexpr int kInflateWindow = MAX_WBITS + 32;

const EncodingRow& RowOf(ContentEncoding encoding) {
  return kEncodings[static_cast<size_t>(encoding)];
}

// zlib counts in unsigned int.
uInt Clamp(size_t bytes) { return static_cast<uInt>(std::min<size_t>(bytes, 1u << 30)); }

// The weight among the parameters of an entry: 1 when there is none, 0 when it is not a number.
double Weight(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view parameter = TrimBlanks(TakeUntil(&parameters, ';'));
    if (!StartsWithIgnoreCase(parameter, "q=")) continue;
    double weight = 0;
    const auto [end, error] =
        std::from_chars(parameter.data() + 2, parameter.data() + parameter.size(), weight);
    return error == std::errc() && end == parameter.data() + parameter.size() ? weight : 0;
  }
  return 1;
}

class Inflater {
 public:
  Inflater() { inflateInit2(&stream_, kInflateWindow); }
  ~Inflater() { inflateEnd(&stream_); }

  enum class Result { kDone, kTooLarge, kDamaged, kNoMemory };

  Result Run(std::string_view in, uint64_t max_bytes, RequestBody* out) {
    while (true) {
      if (out->room() == 0) {
        if (out->size() > max_bytes) return Result::kTooLarge;
        // Compressed tensors shrink to about a quarter; the block doubles from there.
        const size_t wanted = std::max({out->size() * 2, in.size() * 4, size_t{4096}});
        if (!out->Reserve(std::min<uint64_t>(wanted, max_bytes + 1))) return Result::kNoMemory;
      }
      const uInt given = Clamp(in.size());
      const uInt room = Clamp(out->room());
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
      stream_.avail_in = given;
      stream_.next_out = reinterpret_cast<Bytef*>(out->tail());
      stream_.avail_out = room;
      const int result = inflate(&stream_, Z_NO_FLUSH);
      in.remove_prefix(given - stream_.avail_in);
      out->Advance(room - stream_.avail_out);
      if (out->size() > max_bytes) return Result::kTooLarge;
      if (result == Z_STREAM_END) return in.empty() ? Result::kDone : Result::kDamaged;
      // Z_BUF_ERROR with room left: the input has ended and the stream has not.
      if (result == Z_MEM_ERROR) return Result::kNoMemory;
      if (result != Z_OK) return Result::kDamaged;
    }
  }

 private:
  z_stream stream_ = {};
};

class Deflater {
 public:
  explicit Deflater(int window) {
    constexpr int kMemoryLevel = 8;
    ready_ = deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window, kMemoryLevel,
                          Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~Deflater() {
    if (ready_) deflateEnd(&stream_);
  }

  bool ready() const { return ready_; }
  size_t Bound(size_t bytes) { return deflateBound(&stream_, bytes); }

  // `out` has room for all of it.
  bool Feed(std::string_view in, bool last, RequestBody* out) {
    do {
      const uInt given = Clamp(in.size());
      const uInt room = Clamp(out->room());
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
      stream_.avail_in = given;
      stream_.next_out = reinterpret_cast<Bytef*>(out->tail());
      stream_.avail_out = room;
      const bool finish = last && given == in.size();
      const int result = deflate(&stream_, finish ? Z_FINISH : Z_NO_FLUSH);
      in.remove_prefix(given - stream_.avail_in);
      out->Advance(room - stream_.avail_out);
      if (result == Z_STREAM_END) return true;
      if (result != Z_OK && !(result == Z_BUF_ERROR && in.empty() && !last)) return false;
    } while (!in.empty() || last);
    return true;
  }

 private:
  z_stream stream_ = {};
  bool ready_ = false;
};

}  // namespace

std::string_view ContentEncodingName(ContentEncoding encoding) { return RowOf(encoding).name; }

std::optional<ContentEncoding> ParseContentEncoding(std::string_view value) {
  if (value.empty()) return ContentEncoding::kIdentity;
  for (const EncodingRow& row : kEncodings) {
    if (row.name == value) return row.encoding;
  }
  return std::nullopt;
}

ContentEncoding PickEncoding(std::string_view accept_encoding) {
  ContentEncoding best = ContentEncoding::kIdentity;
  double best_weight = 0;
  while (!accept_encoding.empty()) {
    std::string_view entry = TakeUntil(&accept_encoding, ',');
    const std::string_view name = TrimBlanks(TakeUntil(&entry, ';'));
    const double weight = Weight(entry);
    for (const EncodingRow& row : kEncodings) {
      if (!EqualsIgnoreCase(row.name, name) || weight <= best_weight) continue;
      best = row.encoding;
      best_weight = weight;
    }
  }
  return best;
}

absl::StatusOr<HttpBody> Decompress(ContentEncoding encoding, const HttpBody& body,
                                    uint64_t max_bytes) {
  if (encoding == ContentEncoding::kIdentity) return body;
  RequestBody out;
  switch (Inflater().Run(body.view(), std::min<uint64_t>(max_bytes, SIZE_MAX - 1), &out)) {
    case Inflater::Result::kDone:
      return out.Finish();
    case Inflater::Result::kTooLarge:
      return absl::ResourceExhaustedError(StrCat(
          "Decompressed data size exceeds the maximum allowed value of ", max_bytes, " bytes."));
    case Inflater::Result::kNoMemory:
      return absl::InternalError("no memory to decompress the request body");
    case Inflater::Result::kDamaged:
      break;
  }
  return absl::InvalidArgumentError(
      StrCat("failed to decompress the request body as ", ContentEncodingName(encoding)));
}

absl::Status CompressBody(ContentEncoding encoding, HttpResponse& response) {
  const size_t size = response.body_size();
  if (encoding == ContentEncoding::kIdentity || size == 0) return absl::OkStatus();
  Deflater deflater(RowOf(encoding).deflate_window);
  RequestBody out;
  if (!deflater.ready() || !out.Reserve(deflater.Bound(size))) {
    return absl::InternalError("no memory to compress the response body");
  }
  bool ok = deflater.Feed(response.text(), response.segments().empty(), &out);
  for (size_t i = 0; ok && i < response.segments().size(); ++i) {
    const HttpSegment& segment = response.segments()[i];
    ok = deflater.Feed({segment.data, segment.size}, i + 1 == response.segments().size(), &out);
  }
  if (!ok) return absl::InternalError("failed to compress the response body");
  HttpBody compressed = out.Finish();
  response.text().clear();
  response.segments().clear();
  response.AddSegment(std::move(compressed.owner), compressed.data, compressed.size);
  response.AddHeader("Content-Encoding", ContentEncodingName(encoding));
  return absl::OkStatus();
}

}  // namespace nereid
