#include "cli/successor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "common/strings.h"

namespace nereid {
namespace {

constexpr char kVariable[] = "NEREID_PROCESS_STATE";

// A descriptor of memory that holds `bytes`.
int Memory(const std::string& bytes) {
  const int fd = memfd_create("state", 0);
  EXPECT_EQ(write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return fd;
}

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

TEST(SuccessorTest, AnOrdinaryProcessHasNothingToTake) {
  unsetenv(kVariable);
  const auto state = TakeProcessState();
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_FALSE(state->has_value());
}

TEST(SuccessorTest, TakesWhatWasLeftToItOnce) {
  ProcessState left;
  left.restarts = 3;
  left.sockets.http = {dup(0)};
  const int fd = Memory(SerializeProcessState(left));
  setenv(kVariable, StrCat(fd, ":", getpid()).c_str(), 1);
  const auto state = TakeProcessState();
  ASSERT_TRUE(state.ok() && state->has_value()) << state.status();
  EXPECT_EQ((*state)->restarts, 3u);
  EXPECT_FALSE(IsOpen(fd));
  EXPECT_EQ(fcntl(left.sockets.http[0], F_GETFD), FD_CLOEXEC) << "not for its children";
  EXPECT_EQ(std::getenv(kVariable), nullptr);
  EXPECT_FALSE(TakeProcessState()->has_value());
  close(left.sockets.http[0]);
}

TEST(SuccessorTest, WhatIsAnothersOrNothingIsRefusedAndLeftAlone) {
  const int fd = Memory(SerializeProcessState({}));
  for (const std::string& value :
       {StrCat(fd, ":", getppid()), StrCat(fd), std::string(), std::string("x"), StrCat("0;", 1)}) {
    setenv(kVariable, value.c_str(), 1);
    EXPECT_TRUE(absl::IsInvalidArgument(TakeProcessState().status())) << value;
    EXPECT_TRUE(IsOpen(fd) && IsOpen(0)) << value;
    EXPECT_EQ(std::getenv(kVariable), nullptr);
  }
  close(fd);
}

TEST(SuccessorTest, DamagedStateIsRefused) {
  setenv(kVariable, StrCat(Memory("nonsense"), ":", getpid()).c_str(), 1);
  EXPECT_TRUE(absl::IsInvalidArgument(TakeProcessState().status()));
  setenv(kVariable, StrCat(1000, ":", getpid()).c_str(), 1);
  EXPECT_FALSE(TakeProcessState().ok()) << "a descriptor that is not open";
}

}  // namespace
}  // namespace nereid
