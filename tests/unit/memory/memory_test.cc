#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "memory/host_memory.h"
#include "nereid/buffer.h"

namespace nereid {
namespace {

TEST(HostMemoryTest, BlocksAreAlignedAndWritable) {
  for (size_t size :
       {size_t{0}, size_t{1}, size_t{64}, size_t{65535}, size_t{1} << 20, size_t{5} << 20}) {
    absl::StatusOr<Buffer> buffer = AllocateHost(size);
    ASSERT_TRUE(buffer.ok());
    ASSERT_NE(buffer->data(), nullptr);
    EXPECT_EQ(buffer->size(), size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % 64, 0u);
    std::memset(buffer->data(), 0x5A, size);
  }
}

TEST(HostMemoryTest, AnImpossibleSizeIsAnError) {
  EXPECT_TRUE(absl::IsResourceExhausted(AllocateHost(size_t{1} << 60).status()));
}

TEST(PayloadTest, SegmentsAreCopiedInOrder) {
  auto bytes = std::make_shared<std::vector<std::byte>>(10);
  for (size_t i = 0; i < bytes->size(); ++i) (*bytes)[i] = static_cast<std::byte>(i);
  const std::byte* data = bytes->data();
  const Payload payload(bytes, Payload::Segments{{data + 5, 5}, {data, 0}, {data, 5}});
  EXPECT_EQ(payload.byte_size(), 10u);
  EXPECT_FALSE(payload.contiguous());
  std::byte out[10];
  payload.CopyTo(out);
  EXPECT_EQ(out[0], std::byte{5});
  EXPECT_EQ(out[9], std::byte{4});
}

TEST(PayloadTest, KeepsItsOwnerAlive) {
  auto bytes = std::make_shared<std::vector<std::byte>>(4, std::byte{7});
  std::weak_ptr<std::vector<std::byte>> watch = bytes;
  Payload payload(bytes, bytes->data(), bytes->size());
  bytes.reset();
  EXPECT_FALSE(watch.expired());
  EXPECT_EQ(payload.data()[3], std::byte{7});
  payload = Payload();
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace nereid
