#include "wire/model_version.h"

#include <gtest/gtest.h>

#include "common/strings.h"
#include "infer/model_resolver.h"

namespace nereid {
namespace {

TEST(ParseModelVersion, ReadsNumbersAndNothing) {
  EXPECT_EQ(*ParseModelVersion(""), kLatestVersion);
  EXPECT_EQ(*ParseModelVersion("0"), 0);
  EXPECT_EQ(*ParseModelVersion("17"), 17);
  EXPECT_EQ(*ParseModelVersion("9223372036854775807"), 9223372036854775807);
}

TEST(ParseModelVersion, RefusesEverythingElse) {
  for (const char* text : {"x", "1x", " 1", "+1", "1.0", "9223372036854775808", "-1x", "-"}) {
    const auto version = ParseModelVersion(text);
    EXPECT_EQ(version.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_EQ(Message(version.status()),
              StrCat("failed to get model version from specified version string '", text,
                     "' (details: stol), version should be an integral value > 0"));
  }
  EXPECT_EQ(Message(ParseModelVersion("-1").status()),
            "invalid model version specified '-1' , version should be an integral value > 0");
}

}  // namespace
}  // namespace nereid
