#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nereid {

// Takes the framing off a body in chunked transfer coding, fed piece by piece. Chunk extensions and
// trailers are skipped; sizes, line endings and lengths of framing lines are checked strictly.
class ChunkDecoder {
 public:
  enum class Result {
    kNeedMore,       // all input was consumed; `data` may hold body bytes
    kData,           // `data` holds body bytes; call again with the rest
    kDone,           // the body is complete; input behind `consumed` is the next message
    kMalformed,      // the connection cannot be used any more
    kTooManyChunks,  // more than max_chunks non-empty chunks
  };

  ChunkDecoder() = default;
  // `max_framing` bounds one size line, and all trailers together.
  ChunkDecoder(uint32_t max_chunks, size_t max_framing)
      : max_chunks_(max_chunks), max_framing_(max_framing) {}

  // Looks at `input`; sets `consumed` to the bytes used and `data` to the body bytes among them.
  Result Decode(std::string_view input, size_t* consumed, std::string_view* data);

 private:
  enum class State { kSize, kExtension, kSizeLf, kData, kDataCr, kDataLf, kTrailer, kTrailerLf };

  Result OnFramingByte(char c);
  Result OnSizeByte(char c);
  Result OnTrailerByte(char c);
  Result StartData();

  uint32_t max_chunks_ = UINT32_MAX;
  size_t max_framing_ = SIZE_MAX;
  State state_ = State::kSize;
  uint64_t remaining_ = 0;  // of the chunk's size (while it is read) or data
  int digits_ = 0;
  uint32_t chunks_ = 0;
  size_t framing_ = 0;
  size_t trailer_line_ = 0;  // bytes of the current trailer line
};

}  // namespace nereid
