#include "wire/header_forwarding.h"

#include <gtest/gtest.h>

#include <string>

#include "common/strings.h"

namespace nereid {
namespace {

bool IsForwarded(const std::string& expression, std::string_view name) {
  const auto forwarding = HeaderForwarding::Create(expression);
  EXPECT_TRUE(forwarding.ok()) << forwarding.status();
  Parameters parameters;
  EXPECT_TRUE((*forwarding)->Forward(name, "v", parameters).ok());
  if (parameters.empty()) return false;
  EXPECT_EQ(parameters[0].name, name);
  EXPECT_EQ(parameters[0].value, ParameterValue(std::string("v")));
  return true;
}

TEST(HeaderForwarding, MatchesPartsOfNamesInAnyCase) {
  EXPECT_TRUE(IsForwarded("X-USER", "x-user-name"));
  EXPECT_TRUE(IsForwarded("^x-", "x-user"));
  EXPECT_FALSE(IsForwarded("^user", "x-user"));
  EXPECT_FALSE(IsForwarded("(?-i)X-USER", "x-user"));
  EXPECT_FALSE(IsForwarded("", "x-user"));
}

TEST(HeaderForwarding, RefusesNamesThatMeanSomethingElse) {
  const auto forwarding = HeaderForwarding::Create(".*");
  ASSERT_TRUE(forwarding.ok());
  Parameters parameters;
  for (const char* name : {"sequence_id", "sequence_start", "sequence_end", "priority", "timeout",
                           "headers", "binary_data_output", "triton_anything"}) {
    const absl::Status status = (*forwarding)->Forward(name, "v", parameters);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(Message(status),
              StrCat("Header '", name, "' is reserved for Triton usage and cannot be forwarded."));
  }
  EXPECT_TRUE(parameters.empty());
}

TEST(HeaderForwarding, RefusesBrokenExpressions) {
  EXPECT_EQ(HeaderForwarding::Create("(").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace nereid
