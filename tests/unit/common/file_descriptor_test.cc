#include "common/file_descriptor.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <thread>

namespace nereid {
namespace {

TEST(WriteAllTest, WritesWhatNoSingleCallTakes) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const std::string text(1 << 20, 'x');  // more than a pipe holds
  std::string got;
  std::thread reader([&] {
    const FileDescriptor from(ends[0]);
    char block[4096];
    for (ssize_t n = 0; (n = read(from.get(), block, sizeof(block))) > 0;) {
      got.append(block, static_cast<size_t>(n));
    }
  });
  {
    const FileDescriptor to(ends[1]);
    EXPECT_TRUE(WriteAll(to.get(), text));
  }
  reader.join();
  EXPECT_EQ(got, text);
}

TEST(WriteAllTest, SaysWhyItCannot) {
  EXPECT_FALSE(WriteAll(-1, "x"));
  EXPECT_EQ(errno, EBADF);
  EXPECT_TRUE(WriteAll(-1, ""));
}

}  // namespace
}  // namespace nereid
