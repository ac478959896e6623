#include "frontend/grpc/restrictions.h"

#include <gtest/gtest.h>

#include "common/strings.h"
#include "support/fake_rpc_call.h"

namespace nereid {
namespace {

using testing::FakeRpcCall;

absl::Status Check(const Restrictions& restrictions, std::string_view category,
                   FakeRpcCall::Metadata metadata) {
  auto [call, outcome] = FakeRpcCall::Make("", std::move(metadata));
  return restrictions.Check(category, *call.operator->());
}

TEST(Restrictions, AskForTheSharedKeyOfTheCategory) {
  const Restrictions restrictions(
      {{{"inference", "health"}, "Infer-Key", "s1"}, {{"statistics"}, "admin", "s2"}});
  EXPECT_TRUE(Check(restrictions, "metadata", {}).ok());
  EXPECT_TRUE(Check(restrictions, "inference", {{"triton-grpc-protocol-infer-key", "s1"}}).ok());
  EXPECT_TRUE(Check(restrictions, "statistics", {{"triton-grpc-protocol-admin", "s2"}}).ok());
  for (const auto& metadata : {FakeRpcCall::Metadata{},
                               {{"triton-grpc-protocol-infer-key", "s2"}},
                               {{"triton-grpc-protocol-admin", "s1"}}}) {
    const absl::Status status = Check(restrictions, "health", metadata);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(Message(status),
              "This protocol is restricted, expecting header 'triton-grpc-protocol-Infer-Key'");
  }
}

TEST(Restrictions, LetEverythingThroughWhenThereAreNone) {
  EXPECT_TRUE(Check(Restrictions({}), "inference", {}).ok());
}

}  // namespace
}  // namespace nereid
