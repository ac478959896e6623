#include "wire/json_value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "common/strings.h"

namespace nereid {
namespace {

JsonValue Parse(std::string_view text) {
  auto value = JsonValue::Parse(text);
  EXPECT_TRUE(value.ok()) << text;
  return *value;
}

// Each value as text, however deep it lies.
std::vector<std::string> Scalars(std::string_view text, int max_depth, ScalarVisit* outcome) {
  std::vector<std::string> scalars;
  *outcome = Parse(text).VisitScalars(max_depth, [&](const JsonValue& value) {
    double number = 0;
    std::string scratch;
    std::string_view string;
    if (value.GetString(&scratch, &string)) {
      scalars.push_back(StrCat("\"", string, "\""));
    } else if (value.GetDouble(&number)) {
      scalars.push_back(StrCat(number));
    } else {
      scalars.push_back(value.IsObject() ? "object" : "other");
    }
    return true;
  });
  return scalars;
}

TEST(JsonValue, IntegersAreThoseWithoutFractionAndExponent) {
  struct Case {
    const char* text;
    bool is_uint;
    uint64_t as_uint;
    bool is_int;
    int64_t as_int;
  };
  const Case cases[] = {
      {"0", true, 0, true, 0},
      {"-0", true, 0, true, 0},
      {"-1", false, 0, true, -1},
      {"9223372036854775807", true, 9223372036854775807u, true, INT64_MAX},
      {"9223372036854775808", true, 9223372036854775808u, false, 0},
      {"-9223372036854775808", false, 0, true, INT64_MIN},
      {"18446744073709551615", true, UINT64_MAX, false, 0},
      {"18446744073709551616", false, 0, false, 0},
      {"1.0", false, 0, false, 0},
      {"1e3", false, 0, false, 0},
      {"true", false, 0, false, 0},
      {"\"1\"", false, 0, false, 0},
      {"null", false, 0, false, 0},
  };
  for (const Case& c : cases) {
    uint64_t as_uint = 0;
    int64_t as_int = 0;
    EXPECT_EQ(Parse(c.text).GetUint(&as_uint), c.is_uint) << c.text;
    EXPECT_EQ(Parse(c.text).GetInt(&as_int), c.is_int) << c.text;
    EXPECT_EQ(as_uint, c.as_uint) << c.text;
    EXPECT_EQ(as_int, c.as_int) << c.text;
  }
}

TEST(JsonValue, NumbersIncludeNaNAndInfinities) {
  double value = 0;
  EXPECT_TRUE(Parse("NaN").GetDouble(&value));
  EXPECT_TRUE(std::isnan(value));
  EXPECT_TRUE(Parse("-Inf").GetDouble(&value));
  EXPECT_EQ(value, -INFINITY);
  EXPECT_TRUE(Parse("Infinity").GetDouble(&value));
  EXPECT_EQ(value, INFINITY);
  EXPECT_TRUE(Parse("-1.5e2").GetDouble(&value));
  EXPECT_EQ(value, -150);
  EXPECT_TRUE(Parse("1e-999").GetDouble(&value));
  EXPECT_EQ(value, 0);
  EXPECT_FALSE(Parse("null").GetDouble(&value));
  EXPECT_FALSE(Parse("\"1\"").GetDouble(&value));
}

TEST(JsonValue, StringsDecodeEscapesAndKeepOtherBytes) {
  std::string scratch;
  std::string_view text;
  EXPECT_TRUE(Parse("\"plain\"").GetString(&scratch, &text));
  EXPECT_EQ(text, "plain");
  EXPECT_TRUE(scratch.empty()) << "a string without escapes is not copied";
  ASSERT_TRUE(Parse(R"("\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00\u0000)"
                    "\xff\"")
                  .GetString(&scratch, &text));
  EXPECT_EQ(text, std::string("\"\\/\b\f\n\r\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\0\xff", 20));
  EXPECT_FALSE(Parse("12").GetString(&scratch, &text));
}

TEST(JsonValue, MembersComeInOrderWithDuplicates) {
  std::vector<std::pair<std::string, bool>> members;
  std::string scratch;
  Parse(R"( { "a" : [ {"x":"]}"} ] , "b\u0021":{"c":[1,2]},"a":3 } )")
      .ForEachMember(&scratch, [&](std::string_view name, const JsonValue& value) {
        members.emplace_back(std::string(name), value.IsArray());
        return true;
      });
  const std::vector<std::pair<std::string, bool>> expected = {
      {"a", true}, {"b!", false}, {"a", false}};
  EXPECT_EQ(members, expected);
}

TEST(JsonValue, ValuesOfOtherTypesHaveNoMembersAndNoElements) {
  std::string scratch;
  for (const char* text : {"null", "1", "\"x\"", "true"}) {
    Parse(text).ForEachElement([](const JsonValue&) {
      ADD_FAILURE();
      return true;
    });
    Parse(text).ForEachMember(&scratch, [](std::string_view, const JsonValue&) {
      ADD_FAILURE();
      return true;
    });
  }
}

TEST(JsonValue, IterationStopsWhenTheVisitorSaysSo) {
  int seen = 0;
  Parse("[1,2,3]").ForEachElement([&](const JsonValue&) { return ++seen < 2; });
  EXPECT_EQ(seen, 2);
}

TEST(JsonValue, ScalarsOfNestedArraysComeInReadingOrder) {
  ScalarVisit outcome;
  EXPECT_EQ(Scalars("[ [1, [2 ,[]]], {\"a\":[9]} ,\"[\",null,[[3]] ]", 100, &outcome),
            (std::vector<std::string>{"1", "2", "object", "\"[\"", "other", "3"}));
  EXPECT_EQ(outcome, ScalarVisit::kDone);
  EXPECT_EQ(Scalars("[]", 100, &outcome), std::vector<std::string>());
  EXPECT_EQ(outcome, ScalarVisit::kDone);
}

TEST(JsonValue, ScalarsBelowTheDepthLimitAreNotVisited) {
  ScalarVisit outcome;
  EXPECT_EQ(Scalars("[1,[2]]", 2, &outcome).size(), 2u);
  EXPECT_EQ(outcome, ScalarVisit::kDone);
  EXPECT_EQ(Scalars("[1,[2,[3]]]", 2, &outcome).size(), 2u);
  EXPECT_EQ(outcome, ScalarVisit::kTooDeep);
}

TEST(JsonValue, ParseReportsTheSyntax) {
  EXPECT_EQ(Message(JsonValue::Parse("{").status()),
            "failed to parse the request JSON buffer: Missing a name for object member. at 1");
}

}  // namespace
}  // namespace nereid
