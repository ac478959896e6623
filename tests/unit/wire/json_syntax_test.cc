#include "wire/json_syntax.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "common/strings.h"

namespace nereid {
namespace {

using std::string_literals::operator""s;

TEST(JsonSyntax, AcceptsWhatTheProtocolCallsJson) {
  const std::string accepted[] = {
      "null",
      " \t\r\n{ } ",
      "[]",
      "[1,-0,0.5,-1e9,1E+2,12345678901234567890123]",
      "{\"a\":[{\"b\":[[]]},\"c\",true,false]}",
      "[NaN,-NaN,Inf,-Inf,Infinity,-Infinity]",
      "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"",
      "\"\xff\xfe not UTF-8\"",
      "\xEF\xBB\xBF{}",
      "1e-9999",
      "0." + std::string(400, '0') + "1",
      "{\"a\":1,\"a\":2}",
      std::string(100000, '[') + std::string(100000, ']'),
  };
  for (const std::string& text : accepted) {
    EXPECT_TRUE(CheckJsonSyntax(text).ok())
        << text.substr(0, 80) << ": " << CheckJsonSyntax(text).message();
  }
}

struct Fault {
  std::string text;
  std::string_view what;
  size_t offset;
};

TEST(JsonSyntax, SaysWhatIsWrongAndWhere) {
  const Fault faults[] = {
      {"", "The document is empty.", 0},
      {"  ", "The document is empty.", 2},
      {"x", "Invalid value.", 0},
      {"nul", "Invalid value.", 3},
      {"tru]", "Invalid value.", 3},
      {"{\"a\":", "Invalid value.", 5},
      {"[1,]", "Invalid value.", 3},
      {"[-]", "Invalid value.", 2},
      {"[Na]", "Invalid value.", 3},
      {"[Infi]", "Invalid value.", 5},
      {"{} {}", "The document root must not be followed by other values.", 3},
      {"01", "The document root must not be followed by other values.", 1},
      {"{}/* no */", "The document root must not be followed by other values.", 2},
      {"{1:2}", "Missing a name for object member.", 1},
      {"{\"a\":1,}", "Missing a name for object member.", 7},
      {"{\"a\" 1}", "Missing a colon after a name of object member.", 5},
      {"{\"a\":1 \"b\"", "Missing a comma or } after an object member.", 7},
      {"{\"a\":1]", "Missing a comma or } after an object member.", 6},
      {"[1 2]", "Missing a comma or ] after an array element.", 3},
      {"[[1}", "Missing a comma or ] after an array element.", 3},
      {"[1.]", "Miss fraction part in number.", 3},
      {"[1e+]", "Miss exponent in number.", 4},
      {"[1e999]", "Number too big to be stored in double.", 1},
      {"-" + std::string(400, '9'), "Number too big to be stored in double.", 0},
      {"\"abc", "Missing a closing quotation mark in string.", 4},
      {"\"a\0b\""s, "Missing a closing quotation mark in string.", 2},
      {"\"a\nb\"", "Invalid encoding in string.", 2},
      {"\"a\\x\"", "Invalid escape character in string.", 2},
      {"\"\\", "Invalid escape character in string.", 1},
      {"\"\\u12g4\"", "Incorrect hex digit after \\u escape in string.", 1},
      {"\"\\ud800\"", "The surrogate pair in string is invalid.", 1},
      {"\"\\udc00\"", "The surrogate pair in string is invalid.", 1},
      {"\"\\ud800\\u0041\"", "The surrogate pair in string is invalid.", 1},
  };
  for (const Fault& fault : faults) {
    const absl::Status status = CheckJsonSyntax(fault.text);
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << fault.text;
    EXPECT_EQ(Message(status),
              StrCat("failed to parse the request JSON buffer: ", fault.what, " at ", fault.offset))
        << fault.text;
  }
}

TEST(JsonSyntax, SkipsByteOrderMarkAndBlanksInFrontOfTheRoot) {
  EXPECT_EQ(SkipJsonPreamble("\xEF\xBB\xBF \n[1]"), 5u);
  EXPECT_EQ(SkipJsonPreamble("[1]"), 0u);
}

}  // namespace
}  // namespace nereid
