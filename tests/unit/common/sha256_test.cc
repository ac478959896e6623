#include "common/sha256.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace nereid {
namespace {

TEST(Sha256Test, GivesThePublishedDigests) {
  const struct {
    std::string text;
    const char* digest;
  } kRows[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {std::string(1000000, 'a'),
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
  };
  for (const auto& row : kRows) EXPECT_EQ(HexText(Sha256Of(row.text)), row.digest);
}

TEST(Sha256Test, DoesNotDependOnHowTheBytesComeIn) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i * 37);
  for (size_t size = 0; size <= text.size(); ++size) {
    const std::string part = text.substr(0, size);
    for (const size_t step : {size_t{1}, size_t{63}, size_t{64}, size_t{65}}) {
      Sha256 hash;
      for (size_t at = 0; at < size; at += step) {
        hash.Update(std::string_view(part).substr(at, std::min(step, size - at)));
      }
      ASSERT_EQ(hash.Finish(), Sha256Of(part)) << size << " bytes by " << step;
    }
  }
}

TEST(Sha256Test, EveryBitCounts) {
  const std::string text(200, 'x');
  const Sha256Digest digest = Sha256Of(text);
  for (size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string other = text;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_NE(Sha256Of(other), digest) << bit;
  }
}

}  // namespace
}  // namespace nereid
