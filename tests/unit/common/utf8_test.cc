#include "common/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace nereid {
namespace {

struct Row {
  const char* what;
  std::string text;
  bool valid;
};

const Row kRows[] = {
    {"nothing", "", true},
    {"ASCII", "plain text, longer than a word", true},
    {"two bytes", "\xC3\xA9", true},
    {"three bytes", "\xE2\x82\xAC", true},
    {"four bytes", "\xF0\x9F\x98\x80", true},
    {"the last code point", "\xF4\x8F\xBF\xBF", true},
    {"a zero byte", std::string("a\0b", 3), true},
    {"overlong slash", "\xC0\xAF", false},
    {"overlong euro", "\xF0\x82\x82\xAC", false},
    {"surrogate", "\xED\xA0\x80", false},
    {"above U+10FFFF", "\xF4\x90\x80\x80", false},
    {"continuation alone", "\x80", false},
    {"cut short", "\xE2\x82", false},
    {"a lead that is none", "\xFF", false},
};

TEST(Utf8Test, TellsWellFormedText) {
  for (const Row& row : kRows) EXPECT_EQ(IsValidUtf8(row.text), row.valid) << row.what;
}

TEST(Utf8Test, FindsTheByteWhereverItStandsInAWord) {
  for (size_t length = 0; length < 20; ++length) {
    for (size_t at = 0; at <= length; ++at) {
      for (const Row& row : kRows) {
        const std::string text = std::string(at, 'x') + row.text + std::string(length - at, 'x');
        EXPECT_EQ(IsValidUtf8(text), row.valid) << row.what << " at " << at << " of " << length;
      }
    }
  }
}

TEST(Utf8Test, LengthOfTheFirstCodePoint) {
  EXPECT_EQ(Utf8Length("abc"), 1u);
  EXPECT_EQ(Utf8Length("\xE2\x82\xAC and more"), 3u);
  EXPECT_EQ(Utf8Length("\x82\xAC"), 0u);
}

}  // namespace
}  // namespace nereid
