#include "net/compression.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace nereid {
namespace {

HttpBody BodyOf(std::string bytes) {
  auto owner = std::make_shared<const std::string>(std::move(bytes));
  return {owner, owner->data(), owner->size()};
}

std::string Compressed(ContentEncoding encoding, const std::string& text,
                       const std::vector<std::string>& segments = {}) {
  HttpResponse response;
  response.text() = text;
  for (const std::string& segment : segments) {
    const HttpBody body = BodyOf(segment);
    response.AddSegment(body.owner, body.data, body.size);
  }
  EXPECT_TRUE(CompressBody(encoding, response).ok());
  std::string bytes = response.text();
  for (const HttpSegment& segment : response.segments()) bytes.append(segment.data, segment.size);
  return bytes;
}

std::string Random(size_t size) {
  std::mt19937 generator(7);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(generator());
  return bytes;
}

TEST(CompressionTest, NamesOfContentEncodingsAreExact) {
  EXPECT_EQ(ParseContentEncoding(""), ContentEncoding::kIdentity);
  EXPECT_EQ(ParseContentEncoding("identity"), ContentEncoding::kIdentity);
  EXPECT_EQ(ParseContentEncoding("gzip"), ContentEncoding::kGzip);
  EXPECT_EQ(ParseContentEncoding("deflate"), ContentEncoding::kDeflate);
  for (const char* other : {"GZIP", "br", "gzip, deflate", " gzip"}) {
    EXPECT_FALSE(ParseContentEncoding(other)) << other;
  }
}

TEST(CompressionTest, PicksTheHeaviestUsableEntry) {
  struct Case {
    const char* header;
    ContentEncoding encoding;
  };
  for (const Case& c : {
           Case{"", ContentEncoding::kIdentity},
           Case{"gzip", ContentEncoding::kGzip},
           Case{"gzip, deflate", ContentEncoding::kGzip},
           Case{"deflate,gzip", ContentEncoding::kDeflate},
           Case{"deflate;q=0.5, gzip;q=0.8", ContentEncoding::kGzip},
           Case{"gzip;q=0.5,deflate ; q=0.5", ContentEncoding::kGzip},
           Case{"identity, gzip", ContentEncoding::kIdentity},
           Case{"identity;q=0.1, GZip", ContentEncoding::kGzip},
           Case{"gzip;q=0", ContentEncoding::kIdentity},
           Case{"gzip;q=x, deflate;q=0.1", ContentEncoding::kDeflate},
           Case{"br, zstd, *", ContentEncoding::kIdentity},
           Case{"br;q=1, gzip;q=0.2", ContentEncoding::kGzip},
           Case{",,;q=1,", ContentEncoding::kIdentity},
       }) {
    EXPECT_EQ(PickEncoding(c.header), c.encoding) << c.header;
  }
}

TEST(CompressionTest, RoundTripsTextAndSegmentsAsOneStream) {
  const std::string random = Random(300'000);
  for (const ContentEncoding encoding : {ContentEncoding::kGzip, ContentEncoding::kDeflate}) {
    for (const std::string& text : {std::string("{}"), std::string(), random}) {
      const std::string bytes =
          Compressed(encoding, text, {random, "", std::string(5'000'000, 'a')});
      const auto body = Decompress(encoding, BodyOf(bytes), 100'000'000);
      ASSERT_TRUE(body.ok()) << body.status();
      EXPECT_TRUE(body->view() == text + random + std::string(5'000'000, 'a'));
    }
  }
}

TEST(CompressionTest, WritesTheFormatThatTheNameSays) {
  EXPECT_EQ(Compressed(ContentEncoding::kGzip, "x").substr(0, 2), "\x1f\x8b");
  EXPECT_EQ(Compressed(ContentEncoding::kDeflate, "x").substr(0, 1), "\x78");
}

TEST(CompressionTest, CompressingAddsTheHeaderAndLeavesEmptyBodiesAlone) {
  HttpResponse response(200, "application/json", std::string(1000, 'a'));
  ASSERT_TRUE(CompressBody(ContentEncoding::kGzip, response).ok());
  EXPECT_LT(response.body_size(), 100u);
  EXPECT_EQ(response.header_lines(), "Content-Encoding: gzip\r\n");
  HttpResponse empty;
  ASSERT_TRUE(CompressBody(ContentEncoding::kGzip, empty).ok());
  EXPECT_EQ(empty.body_size(), 0u);
  EXPECT_EQ(empty.header_lines(), "");
}

TEST(CompressionTest, RecognisesTheFormatWhateverTheNameSays) {
  const std::string gzip = Compressed(ContentEncoding::kGzip, "hello");
  EXPECT_EQ(Decompress(ContentEncoding::kDeflate, BodyOf(gzip), 100)->view(), "hello");
}

TEST(CompressionTest, IdentityIsTheSameBytes) {
  const HttpBody body = BodyOf("abc");
  EXPECT_EQ(Decompress(ContentEncoding::kIdentity, body, 1)->data, body.data);
}

TEST(CompressionTest, RefusesDamagedCutAndProlongedStreams) {
  const std::string good = Compressed(ContentEncoding::kGzip, Random(10'000));
  std::string flipped = good;
  flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 0x55);
  for (const std::string& bad :
       {std::string("{\"plain\": \"json\"}"), std::string(), good.substr(0, good.size() - 1),
        good.substr(0, 5), flipped, good + "x"}) {
    const auto body = Decompress(ContentEncoding::kGzip, BodyOf(bad), 1'000'000);
    EXPECT_EQ(body.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(body.status().message(), "failed to decompress the request body as gzip");
  }
}

TEST(CompressionTest, StopsABombAtTheLimit) {
  const std::string bomb = Compressed(ContentEncoding::kGzip, std::string(50'000'000, 'a'));
  const auto body = Decompress(ContentEncoding::kGzip, BodyOf(bomb), 1'000'000);
  EXPECT_EQ(body.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(body.status().message(),
            "Decompressed data size exceeds the maximum allowed value of 1000000 bytes.");
  EXPECT_TRUE(Decompress(ContentEncoding::kGzip, BodyOf(bomb), 50'000'000).ok());
  EXPECT_FALSE(Decompress(ContentEncoding::kGzip, BodyOf(bomb), 49'999'999).ok());
}

TEST(CompressionTest, DecompressedBodyIsPaddedForReaders) {
  const std::string bytes = Compressed(ContentEncoding::kGzip, std::string(4096, 'b'));
  const auto body = Decompress(ContentEncoding::kGzip, BodyOf(bytes), 1'000'000);
  ASSERT_TRUE(body.ok());
  for (size_t i = 0; i < kBodyPadding; ++i) EXPECT_EQ(body->data[body->size + i], 0);
}

}  // namespace
}  // namespace nereid
