#include "repository/status_text.h"

#include <gtest/gtest.h>

namespace nereid {
namespace {

TEST(StatusTextTest, LabelsAreThoseOfTheIndex) {
  EXPECT_EQ(StatusText(absl::InvalidArgumentError("x")), "Invalid argument: x");
  EXPECT_EQ(StatusText(absl::InternalError("x")), "Internal: x");
  EXPECT_EQ(StatusText(absl::NotFoundError("x")), "Not found: x");
  EXPECT_EQ(StatusText(absl::UnavailableError("x")), "Unavailable: x");
  EXPECT_EQ(StatusText(absl::UnimplementedError("x")), "Unsupported: x");
  EXPECT_EQ(StatusText(absl::AlreadyExistsError("x")), "Already exists: x");
  EXPECT_EQ(StatusText(absl::UnknownError("x")), "Unknown: x");
  EXPECT_EQ(StatusText(absl::CancelledError("x")), "Cancelled: x");
  EXPECT_EQ(StatusText(absl::ResourceExhaustedError("x")), "Unavailable: x");
}

}  // namespace
}  // namespace nereid
