#include "net/write_queue.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>

namespace nereid {
namespace {

class WriteQueueTest : public ::testing::Test {
 protected:
  WriteQueueTest() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds_), 0); }
  ~WriteQueueTest() override {
    close(fds_[0]);
    CloseReader();
  }
  void CloseReader() {
    if (fds_[1] >= 0) close(fds_[1]);
    fds_[1] = -1;
  }
  std::string ReadExactly(size_t size) {
    std::string bytes(size, '\0');
    size_t have = 0;
    while (have < size) {
      const ssize_t n = read(fds_[1], bytes.data() + have, size - have);
      if (n <= 0) break;
      have += static_cast<size_t>(n);
    }
    bytes.resize(have);
    return bytes;
  }

  int fds_[2];
};

HttpSegment SegmentOf(const std::string& bytes) {
  auto owner = std::make_shared<const std::string>(bytes);
  return {owner, owner->data(), owner->size()};
}

TEST_F(WriteQueueTest, SendsTextsAndSegmentsInOrder) {
  WriteQueue queue;
  queue.Append("head ");
  queue.Push(SegmentOf("one "));
  queue.Append("between ");
  queue.Append("and ");
  queue.Push(std::string("moved "));
  queue.Push(HttpSegment{});
  queue.Push(SegmentOf("two"));
  const std::string expected = "head one between and moved two";
  EXPECT_EQ(queue.size(), expected.size());
  size_t sent = 0;
  EXPECT_EQ(queue.Flush(fds_[0], &sent), WriteQueue::Result::kDone);
  EXPECT_EQ(sent, expected.size());
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_EQ(ReadExactly(expected.size()), expected);
}

TEST_F(WriteQueueTest, SendsMoreSegmentsThanOneCallTakes) {
  WriteQueue queue;
  std::string expected;
  for (int i = 0; i < 3000; ++i) {
    const std::string piece = std::to_string(i) + ",";
    expected += piece;
    queue.Push(SegmentOf(piece));
  }
  size_t sent = 0;
  std::thread reader([&] { EXPECT_EQ(ReadExactly(expected.size()), expected); });
  while (queue.Flush(fds_[0], &sent) == WriteQueue::Result::kBlocked) std::this_thread::yield();
  reader.join();
  EXPECT_TRUE(queue.empty());
}

TEST_F(WriteQueueTest, ResumesAfterShortWritesAndFreesWhatIsSent) {
  WriteQueue queue;
  std::string expected;
  std::vector<std::weak_ptr<const void>> owners;
  for (int i = 0; i < 20; ++i) {
    const std::string piece(300'000 + static_cast<size_t>(i), static_cast<char>('a' + i));
    expected += piece;
    HttpSegment segment = SegmentOf(piece);
    owners.push_back(segment.owner);
    queue.Push(std::move(segment));
  }
  size_t sent = 0;
  ASSERT_EQ(queue.Flush(fds_[0], &sent), WriteQueue::Result::kBlocked);
  EXPECT_EQ(queue.size(), expected.size() - sent);
  std::string received;
  while (received.size() < expected.size()) {
    received += ReadExactly(
        std::min<size_t>(queue.empty() ? 1'000'000 : 100'000, expected.size() - received.size()));
    queue.Flush(fds_[0], &sent);
    const size_t unsent_from = (expected.size() - queue.size()) / 300'019;
    for (size_t i = 0; i < unsent_from; ++i) EXPECT_TRUE(owners[i].expired()) << i;
  }
  EXPECT_TRUE(received == expected);
  EXPECT_TRUE(queue.empty());
}

TEST_F(WriteQueueTest, ReportsABrokenConnectionWithoutASignal) {
  CloseReader();
  WriteQueue queue;
  queue.Append("x");
  size_t sent = 0;
  EXPECT_EQ(queue.Flush(fds_[0], &sent), WriteQueue::Result::kError);
}

}  // namespace
}  // namespace nereid
