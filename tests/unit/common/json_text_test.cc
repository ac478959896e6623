#include "common/json_text.h"

#include <gtest/gtest.h>

namespace nereid {
namespace {

std::string Quoted(std::string_view text) {
  std::string out;
  AppendJsonString(text, out);
  return out;
}

TEST(JsonTextTest, EscapesWhatJsonDemands) {
  EXPECT_EQ(Quoted("plain"), "\"plain\"");
  EXPECT_EQ(Quoted(""), "\"\"");
  EXPECT_EQ(Quoted("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(Quoted("\n\r\t\b\f"), "\"\\n\\r\\t\\b\\f\"");
  EXPECT_EQ(Quoted(std::string_view("\x01\x1f\0", 3)), "\"\\u0001\\u001f\\u0000\"");
}

TEST(JsonTextTest, KeepsValidUtf8AndReplacesTheRest) {
  EXPECT_EQ(Quoted("\xC3\xA9\xE6\xBC\xA2\xF0\x9F\x98\x80"),
            "\"\xC3\xA9\xE6\xBC\xA2\xF0\x9F\x98\x80\"");
  EXPECT_EQ(Quoted("a\xFFz"), "\"a\xEF\xBF\xBDz\"");
  EXPECT_EQ(Quoted("\xC0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"") << "overlong";
  EXPECT_EQ(Quoted("\xED\xA0\x80").find('\xED'), std::string::npos) << "surrogate";
  EXPECT_EQ(Quoted("\xE6\xBC"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"") << "cut short";
}

}  // namespace
}  // namespace nereid
