#include "net/chunk_decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace nereid {
namespace {

using Result = ChunkDecoder::Result;

struct Decoded {
  Result result = Result::kNeedMore;
  std::string body;
  size_t consumed = 0;
};

// Feeds `input` in pieces of `step` bytes until the body ends one way or another.
Decoded Decode(const std::string& input, size_t step, ChunkDecoder decoder = ChunkDecoder()) {
  Decoded decoded;
  for (size_t start = 0; start < input.size(); start += step) {
    std::string_view piece = std::string_view(input).substr(start, step);
    while (!piece.empty()) {
      size_t consumed = 0;
      std::string_view data;
      decoded.result = decoder.Decode(piece, &consumed, &data);
      decoded.body += data;
      decoded.consumed += consumed;
      piece.remove_prefix(consumed);
      if (decoded.result != Result::kNeedMore && decoded.result != Result::kData) return decoded;
    }
  }
  return decoded;
}

TEST(ChunkDecoderTest, DecodesTheSameHoweverTheBytesArrive) {
  const std::string framed =
      "5\r\nhello\r\n1;name=value\r\n,\r\n006\r\n world\r\n0\r\nT: r\r\n\r\n";
  for (size_t step = 1; step <= framed.size() + 4; ++step) {
    const Decoded decoded = Decode(framed + "NEXT", step);
    EXPECT_EQ(decoded.result, Result::kDone) << step;
    EXPECT_EQ(decoded.body, "hello, world");
    EXPECT_EQ(decoded.consumed, framed.size());
  }
}

TEST(ChunkDecoderTest, DecodesAnEmptyBody) {
  const Decoded decoded = Decode("0\r\n\r\n", 100);
  EXPECT_EQ(decoded.result, Result::kDone);
  EXPECT_EQ(decoded.body, "");
}

TEST(ChunkDecoderTest, WaitsForTheRest) {
  for (const char* input : {"5", "5\r", "5\r\n", "5\r\nhel", "5\r\nhello", "5\r\nhello\r\n",
                            "5\r\nhello\r\n0\r\n", "0\r\n\r", "0\r\nTrailer: x\r\n"}) {
    const Decoded decoded = Decode(input, 100);
    EXPECT_TRUE(decoded.result == Result::kNeedMore || decoded.result == Result::kData) << input;
  }
}

TEST(ChunkDecoderTest, RefusesMalformedFraming) {
  for (const char* input :
       {"\r\n", "x\r\n", "-5\r\n", "0x5\r\n", "5\n", "5\rx", "5\r\nhelloX", "5\r\nhello\rX",
        "5\r\nhello\n", ";ext\r\n", "5;a\nb\r\n", "0\r\nTrailer\n", "0\r\n\rX",
        "1000000000000000\r\n", "FFFFFFFFFFFFFFFFFF\r\n"}) {
    for (size_t step : {1, 100}) {
      EXPECT_EQ(Decode(input, step).result, Result::kMalformed) << input;
    }
  }
}

TEST(ChunkDecoderTest, BoundsSizeLinesAndTrailers) {
  const ChunkDecoder decoder(UINT32_MAX, 100);
  EXPECT_EQ(Decode("5;" + std::string(200, 'a') + "\r\n", 7, decoder).result, Result::kMalformed);
  std::string trailers;
  for (int i = 0; i < 30; ++i) trailers += "A: b\r\n";
  EXPECT_EQ(Decode("0\r\n" + trailers + "\r\n", 7, decoder).result, Result::kMalformed);
  std::string many;
  for (int i = 0; i < 200; ++i) many += "1\r\nx\r\n";
  EXPECT_EQ(Decode(many + "0\r\n\r\n", 7, decoder).result, Result::kDone);
}

TEST(ChunkDecoderTest, CountsNonEmptyChunks) {
  const ChunkDecoder decoder(3, 1000);
  EXPECT_EQ(Decode("1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n", 100, decoder).result, Result::kDone);
  EXPECT_EQ(Decode("1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1\r\nd\r\n0\r\n\r\n", 100, decoder).result,
            Result::kTooManyChunks);
}

}  // namespace
}  // namespace nereid
