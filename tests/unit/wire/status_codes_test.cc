#include "wire/status_codes.h"

#include <gtest/gtest.h>

namespace nereid {
namespace {

TEST(StatusCodes, ClassesOfTheProtocol) {
  struct Case {
    absl::StatusCode code;
    int http;
    int grpc;
  };
  const Case cases[] = {
      {absl::StatusCode::kOk, 200, 0},
      {absl::StatusCode::kUnknown, 400, 2},
      {absl::StatusCode::kInternal, 500, 13},
      {absl::StatusCode::kNotFound, 404, 5},
      {absl::StatusCode::kInvalidArgument, 400, 3},
      {absl::StatusCode::kUnavailable, 503, 14},
      {absl::StatusCode::kUnimplemented, 501, 12},
      {absl::StatusCode::kAlreadyExists, 400, 6},
      {absl::StatusCode::kCancelled, 400, 1},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(HttpStatusOf(c.code), c.http) << absl::StatusCodeToString(c.code);
    EXPECT_EQ(GrpcCodeOf(c.code), c.grpc) << absl::StatusCodeToString(c.code);
  }
}

TEST(StatusCodes, EveryCanonicalCodeKeepsItsNumberAndIsAnError) {
  for (int number = 1; number <= 16; ++number) {
    const auto code = static_cast<absl::StatusCode>(number);
    EXPECT_EQ(GrpcCodeOf(code), number);
    EXPECT_GE(HttpStatusOf(code), 400);
  }
}

TEST(StatusCodes, CodesFromElsewhereAreUnknown) {
  EXPECT_EQ(HttpStatusOf(static_cast<absl::StatusCode>(99)), 400);
  EXPECT_EQ(GrpcCodeOf(static_cast<absl::StatusCode>(99)), 2);
}

}  // namespace
}  // namespace nereid
