#include "repository/version_policy.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proto/model_config.pb.h"

namespace nereid {
namespace {

struct Case {
  const char* policy;
  std::vector<int64_t> available;
  std::vector<int64_t> serve;
  std::vector<int64_t> missing;
};

class VersionPolicyTest : public ::testing::TestWithParam<Case> {};

TEST_P(VersionPolicyTest, SelectsTheVersionsOfTheTable) {
  const Case& row = GetParam();
  inference::ModelVersionPolicy policy;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(row.policy, &policy));
  const VersionSelection selection = SelectVersions(row.available, policy);
  EXPECT_EQ(selection.serve, row.serve);
  EXPECT_EQ(selection.missing, row.missing);
}

INSTANTIATE_TEST_SUITE_P(
    Table, VersionPolicyTest,
    ::testing::Values(
        Case{"latest { num_versions: 1 }", {1, 2, 10}, {10}, {}},
        Case{"latest { num_versions: 2 }", {1, 2, 10}, {2, 10}, {}},
        Case{"latest { num_versions: 9 }", {1, 2, 10}, {1, 2, 10}, {}},
        Case{"latest { num_versions: 4294967295 }", {3}, {3}, {}},
        Case{"latest { }", {1, 2}, {}, {}}, Case{"latest { num_versions: 1 }", {}, {}, {}},
        Case{"all { }", {1, 2, 10}, {1, 2, 10}, {}}, Case{"all { }", {}, {}, {}},
        Case{"", {1, 2}, {1, 2}, {}}, Case{"specific { versions: [ 2 ] }", {1, 2, 10}, {2}, {}},
        Case{"specific { versions: [ 10, 1, 10 ] }", {1, 2, 10}, {1, 10}, {}},
        Case{"specific { versions: [ 7, 2, 3 ] }", {1, 2, 10}, {2}, {3, 7}},
        Case{"specific { versions: [ -1 ] }", {1}, {}, {-1}}, Case{"specific { }", {1}, {}, {}}));

}  // namespace
}  // namespace nereid
