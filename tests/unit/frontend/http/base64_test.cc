#include "frontend/http/base64.h"

#include <gtest/gtest.h>

namespace nereid {
namespace {

TEST(Base64, DecodesEveryRemainder) {
  EXPECT_EQ(DecodeBase64(""), "");
  EXPECT_EQ(DecodeBase64("YQ=="), "a");
  EXPECT_EQ(DecodeBase64("YWI="), "ab");
  EXPECT_EQ(DecodeBase64("YWJj"), "abc");
  EXPECT_EQ(DecodeBase64("YWJjZA"), "abcd");
  EXPECT_EQ(DecodeBase64("+/8="), "\xfb\xff");
}

TEST(Base64, PassesOverOtherCharacters) {
  EXPECT_EQ(DecodeBase64(" Y W\nJ-j_"), "abc");
  EXPECT_EQ(DecodeBase64("YWJjZ"), "abc");
}

}  // namespace
}  // namespace nereid
