#include "net/chunk_decoder.h"

#include <algorithm>

namespace nereid {
namespace {

constexpr int kMaxSizeDigits = 15;  // 2^60: sums with it cannot overflow

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

ChunkDecoder::Result ChunkDecoder::Decode(std::string_view input, size_t* consumed,
                                          std::string_view* data) {
  *data = {};
  for (size_t i = 0; i < input.size();) {
    if (state_ == State::kData) {
      const size_t size = static_cast<size_t>(std::min<uint64_t>(remaining_, input.size() - i));
      *data = input.substr(i, size);
      *consumed = i + size;
      remaining_ -= size;
      if (remaining_ == 0) state_ = State::kDataCr;
      return Result::kData;
    }
    const Result result = OnFramingByte(input[i++]);
    if (result != Result::kNeedMore) {
      *consumed = i;
      return result;
    }
  }
  *consumed = input.size();
  return Result::kNeedMore;
}

ChunkDecoder::Result ChunkDecoder::OnFramingByte(char c) {
  if (++framing_ > max_framing_) return Result::kMalformed;
  switch (state_) {
    case State::kSize:
      return OnSizeByte(c);
    case State::kExtension:
      if (c == '\n') return Result::kMalformed;
      if (c == '\r') state_ = State::kSizeLf;
      return Result::kNeedMore;
    case State::kSizeLf:
      return c == '\n' ? StartData() : Result::kMalformed;
    case State::kDataCr:
      state_ = State::kDataLf;
      return c == '\r' ? Result::kNeedMore : Result::kMalformed;
    case State::kDataLf:
      state_ = State::kSize;
      framing_ = 0;
      digits_ = 0;
      return c == '\n' ? Result::kNeedMore : Result::kMalformed;
    case State::kTrailer:
    case State::kTrailerLf:
      return OnTrailerByte(c);
    case State::kData:
      break;
  }
  return Result::kMalformed;
}

ChunkDecoder::Result ChunkDecoder::OnSizeByte(char c) {
  const int digit = HexDigit(c);
  if (digit >= 0) {
    if (++digits_ > kMaxSizeDigits) return Result::kMalformed;
    remaining_ = remaining_ * 16 + static_cast<uint64_t>(digit);
    return Result::kNeedMore;
  }
  if (digits_ == 0) return Result::kMalformed;
  if (c == '\r') {
    state_ = State::kSizeLf;
  } else if (c == ';' || c == ' ' || c == '\t') {
    state_ = State::kExtension;
  } else {
    return Result::kMalformed;
  }
  return Result::kNeedMore;
}

ChunkDecoder::Result ChunkDecoder::StartData() {
  framing_ = 0;
  if (remaining_ == 0) {
    state_ = State::kTrailer;
    trailer_line_ = 0;
    return Result::kNeedMore;
  }
  state_ = State::kData;
  return ++chunks_ > max_chunks_ ? Result::kTooManyChunks : Result::kNeedMore;
}

ChunkDecoder::Result ChunkDecoder::OnTrailerByte(char c) {
  if (state_ == State::kTrailerLf) {
    if (c != '\n') return Result::kMalformed;
    if (trailer_line_ == 0) return Result::kDone;
    state_ = State::kTrailer;
    trailer_line_ = 0;
    return Result::kNeedMore;
  }
  if (c == '\n') return Result::kMalformed;
  if (c == '\r') {
    state_ = State::kTrailerLf;
  } else {
    ++trailer_line_;
  }
  return Result::kNeedMore;
}

}  // namespace nereid
