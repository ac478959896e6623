#include "config/config_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "config_test_util.h"

namespace nereid {
namespace {

using ::testing::HasSubstr;
using testing::Parse;
using ::testing::StartsWith;
using testing::TemporaryFolder;
using testing::Text;

std::string Repeat(std::string_view piece, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += piece;
  return out;
}

struct Accepted {
  std::string_view name, text;
};
const Accepted kAccepted[] = {
    {"empty file", ""},
    {"comment", "# only this\n"},
    {"separators", "name: \"m\", max_batch_size: 1; backend: 'b' platform: \"p\""},
    {"message with colon", "version_policy: { all: {} }"},
    {"message in angles", "version_policy < all < > >"},
    {"list of scalars", "dynamic_batching { preferred_batch_size: [ 1, 2 ] }"},
    {"empty list", "dynamic_batching { preferred_batch_size: [ ] }"},
    {"list of messages", "input [ { name: \"a\" }, { name: \"b\" } ]"},
    {"mixed lists", "input { name: \"a\" } input [ { name: \"b\" } ] input { name: \"c\" }"},
    {"map without value", "metric_tags { key: \"k\" }"},
    {"booleans", "input { optional: t } input { optional: 1 } input { optional: True }"},
    {"enum by number", "input { data_type: 11 }"},
    {"hex, octal and negative", "input { dims: [ 0x10, 010, - 1 ] }"},
    {"float forms",
     "sequence_batching { control_input { control { fp32_false_true: [ 1, 0.5f, 1e2, inf ] } } }"},
    {"adjacent strings", "name: \"a\" 'b' \"\\x63\""},
};

TEST(ParseConfigText, AcceptsEveryFormOfTheTextFormat) {
  for (const Accepted& row : kAccepted) {
    EXPECT_TRUE(ParseConfigText(row.text, "p").ok()) << row.name;
  }
}

TEST(ParseConfigText, ReadsWhatTheFormsMean) {
  EXPECT_EQ(Parse("name: \"a\" 'b' \"\\x63\"").name(), "abc");
  const auto dims = Parse("input { dims: [ 0x10, 010, - 1 ] }").input(0).dims();
  EXPECT_THAT(dims, ::testing::ElementsAre(16, 8, -1));
  EXPECT_EQ(Parse("input { data_type: 11 }").input(0).data_type(), inference::TYPE_FP32);
  const auto tags =
      Parse(R"(metric_tags { key: "k" value: "1" } metric_tags [ { key: "k" value: "2" } ])")
          .metric_tags();
  EXPECT_EQ(tags.at("k"), "2");
}

const Accepted kRejected[] = {
    {"slash comment", "// no"},
    {"unknown field", "nmae: \"m\""},
    {"scalar without colon", "max_batch_size 1"},
    {"trailing comma", "dynamic_batching { preferred_batch_size: [ 1, 2, ] }"},
    {"missing comma", "input [ { name: \"a\" } { name: \"b\" } ]"},
    {"upper-case boolean", "input { optional: TRUE }"},
    {"quoted boolean", "input { optional: \"true\" }"},
    {"unknown enumerator", "input { data_type: TYPE_FP31 }"},
    {"quoted enumerator", "input { data_type: \"TYPE_FP32\" }"},
    {"fraction as integer", "max_batch_size: 8.0"},
    {"out of range", "max_batch_size: 2147483648"},
    {"beyond 64 bits", "input { dims: 92233720368547758080 }"},
    {"number as string", "name: 1"},
    {"singular field twice", "name: \"a\" name: \"b\""},
    {"two members of a oneof", "version_policy { all {} latest {} }"},
    {"two schedulers", "dynamic_batching {} sequence_batching {}"},
    {"unclosed message", "input { name: \"a\""},
    {"raw line break in a string", "name: \"a\nb\""},
};

TEST(ParseConfigText, RejectsWhatIsNotInTheFormat) {
  for (const Accepted& row : kRejected) {
    const auto config = ParseConfigText(row.text, "/r/m/config.pbtxt");
    ASSERT_FALSE(config.ok()) << row.name;
    EXPECT_EQ(config.status().code(), absl::StatusCode::kInternal) << row.name;
    EXPECT_THAT(Text(config.status()),
                StartsWith("failed to read text proto from /r/m/config.pbtxt: /r/m/config.pbtxt:"))
        << row.name;
  }
}

TEST(ParseConfigText, TellsLineAndColumnFromOne) {
  const auto config = ParseConfigText("name: \"m\"\n  nmae: \"x\"\n", "c.pbtxt");
  EXPECT_THAT(Text(config.status()), HasSubstr(": c.pbtxt:2:7: "));
  EXPECT_THAT(Text(config.status()), HasSubstr("nmae"));
}

TEST(ParseConfigText, RefusesStringsThatAreNotUtf8AndNamesTheField) {
  for (const char* bytes :
       {"\\xff", "\\xc0\\xaf", "\\xed\\xa0\\x80", "\\xf5\\x80\\x80\\x80", "\\xe2\\x82"}) {
    const auto config =
        ParseConfigText(std::string("input {} input { name: \"") + bytes + "\" }", "c");
    EXPECT_THAT(Text(config.status()), HasSubstr("field 'input[1].name' is not valid UTF-8"))
        << bytes;
  }
  EXPECT_EQ(Parse("name: \"\\xe2\\x82\\xac \\xf0\\x9f\\x98\\x80\"").name(), "€ 😀");
}

TEST(ParseConfigText, RefusesStringsInMapsThatAreNotUtf8) {
  const auto config = ParseConfigText("metric_tags { key: \"k\" value: \"\\xff\" }", "c");
  EXPECT_THAT(Text(config.status()), HasSubstr("metric_tags[0].value"));
}

TEST(ParseConfigText, EndsDeepNestingWithAnError) {
  // An unknown field's value is skipped message by message.
  const std::string deep = Repeat("x {", 200000);
  EXPECT_FALSE(ParseConfigText(deep, "c").ok());
  EXPECT_FALSE(ParseConfigText("input " + Repeat("[", 200000), "c").ok());
  const std::string known = "optimization { cuda { graph_spec { graph_lower_bound { input {";
  EXPECT_FALSE(ParseConfigText(known, "c", {.max_depth = 3}).ok());
}

TEST(ParseConfigText, RefusesMoreBytesThanAllowed) {
  const std::string text = "# " + std::string(100, 'x');
  EXPECT_FALSE(ParseConfigText(text, "c", {.max_bytes = 50}).ok());
  EXPECT_TRUE(ParseConfigText(text, "c", {.max_bytes = 200}).ok());
}

TEST(ParseConfigText, SurvivesArbitraryBytes) {
  std::string bytes;
  for (int i = 0; i < 4096; ++i) bytes.push_back(static_cast<char>((i * 7919 + i / 3) & 0xff));
  EXPECT_FALSE(ParseConfigText(bytes, "c").ok());
  EXPECT_FALSE(ParseConfigText(std::string(1, '\0'), "c").ok());
}

TEST(ReadConfigFile, ReadsAFileAndNamesOneThatIsMissing) {
  const TemporaryFolder folder;
  const std::string path = folder.Write("config.pbtxt", "name: \"m\"");
  EXPECT_EQ(ReadConfigFile(path)->name(), "m");
  const auto missing = ReadConfigFile(folder.path() + "/none");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Text(missing.status()), "failed to open text file for read " + folder.path() +
                                        "/none: No such file or directory");
  EXPECT_THAT(Text(ReadConfigFile(folder.path()).status()), HasSubstr("not a regular file"));
}

TEST(FindConfigFile, PrefersTheNamedAlternativeAndFallsBack) {
  const TemporaryFolder folder;
  EXPECT_EQ(FindConfigFile(folder.path(), "a"), "");
  const std::string standard = folder.Write("config.pbtxt", "");
  EXPECT_EQ(FindConfigFile(folder.path(), "a"), standard);
  const std::string alternative = folder.Write("configs/a.pbtxt", "");
  EXPECT_EQ(FindConfigFile(folder.path(), "a"), alternative);
  EXPECT_EQ(FindConfigFile(folder.path(), "b"), standard);
  EXPECT_EQ(FindConfigFile(folder.path(), ""), standard);
}

TEST(ParseConfigJson, AcceptsBothSpellingsAndBothFormsOfNumbers) {
  for (
      const char* json :
      {R"({"name":"m","max_batch_size":8,"input":[{"name":"x","data_type":"TYPE_FP32","dims":[4]}]})",
       R"({"name":"m","maxBatchSize":"8","input":[{"name":"x","dataType":"type_fp32","dims":["4"]}]})"}) {
    const auto config = ParseConfigJson(json);
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->max_batch_size(), 8);
    EXPECT_EQ(config->input(0).data_type(), inference::TYPE_FP32);
    EXPECT_EQ(config->input(0).dims(0), 4);
  }
}

TEST(ParseConfigJson, RejectsWithThePrefixOfOverrides) {
  for (const char* json :
       {"", "{", "[]", "null", "{\"nope\":1}", "{\"max_batch_size\":\"x\"}",
        "{\"max_batch_size\":99999999999}", "{\"inputs\":[{\"datatype\":\"FP32\"}]}",
        "{\"input\":[{\"data_type\":\"TYPE_X\"}]}", "{\"name\":\"\xff\"}",
        "{\"dynamic_batching\":{},\"sequence_batching\":{}}"}) {
    const auto config = ParseConfigJson(json);
    ASSERT_FALSE(config.ok()) << json;
    EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument) << json;
    EXPECT_THAT(Text(config.status()), StartsWith("Invalid config override: ")) << json;
  }
}

TEST(ParseConfigJson, EndsDeepNestingWithAnError) {
  EXPECT_THAT(Text(ParseConfigJson(Repeat("[", 100000)).status()), HasSubstr("nested deeper"));
  EXPECT_THAT(Text(ParseConfigJson(Repeat("{\"a\":", 100000)).status()),
              HasSubstr("nested deeper"));
  EXPECT_TRUE(ParseConfigJson("{\"name\":\"" + Repeat("[", 1000) + "\"}").ok());
}

}  // namespace
}  // namespace nereid
