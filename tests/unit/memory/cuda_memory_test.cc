#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/strings.h"
#include "memory/copy.h"
#include "memory/shared_memory.h"
#include "support/fake_cuda.h"
#include "support/shared_memory_object.h"

namespace nereid {
namespace {

using testing::FakeCuda;
using testing::SharedMemoryObject;
constexpr auto kCuda = SharedMemoryKind::kCuda;

std::vector<std::byte> Bytes(std::string_view text) {
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

std::string Text(const Buffer& buffer) {
  return {reinterpret_cast<const char*>(buffer.data()), buffer.size()};
}

TEST(CopyTest, GoesThroughTheDriverOnlyWhereADeviceTakesPart) {
  FakeCuda cuda;
  std::vector<std::byte> from = Bytes("payload");
  struct Row {
    MemoryPlace from, to;
    int copies;
  };
  const MemoryPlace gpu{MemoryKind::kGpu, 1};
  const MemoryPlace pinned{MemoryKind::kPinned, 0};
  const Row rows[] = {{{}, {}, 0}, {{}, pinned, 0}, {gpu, {}, 2}, {{}, gpu, 2}, {gpu, gpu, 2}};
  for (const Row& row : rows) {
    const int before = cuda.copies();
    std::vector<std::byte> to(7);
    const Payload payload(nullptr, Payload::Segments{{from.data(), 3}, {from.data() + 3, 4}},
                          row.from);
    ASSERT_TRUE(CopyBytes(payload, Buffer(nullptr, to.data(), 7, row.to)).ok());
    EXPECT_EQ(to, from);
    EXPECT_EQ(cuda.copies() - before, row.copies);
  }
  EXPECT_EQ(cuda.contexts_held(), 1) << "only device 1 took part";
}

TEST(CopyTest, FailuresAreStatuses) {
  std::vector<std::byte> bytes(8);
  const Payload on_gpu(nullptr, bytes.data(), 8, {MemoryKind::kGpu, 0});
  const Buffer host(nullptr, bytes.data(), 8);
  EXPECT_FALSE(CopyBytes(on_gpu, Buffer(nullptr, bytes.data(), 7)).ok()) << "no room";
  FakeCuda cuda;
  cuda.refuses_to_copy = true;
  const absl::Status status = CopyBytes(on_gpu, host);
  EXPECT_EQ(Message(status), "cuMemcpyAsync: CUDA_ERROR_INVALID_VALUE");
  EXPECT_TRUE(absl::IsInternal(status));
  EXPECT_FALSE(CopyBytes(Payload(nullptr, bytes.data(), 8, {MemoryKind::kGpu, 2}), host).ok())
      << "there is no device 2";
}

TEST(CopyTest, BytesMayOverlap) {
  std::vector<std::byte> bytes = Bytes("abcdefgh");
  ASSERT_TRUE(
      CopyBytes(Payload(nullptr, bytes.data(), 6), Buffer(nullptr, bytes.data() + 2, 6)).ok());
  EXPECT_EQ(bytes, Bytes("ababcdef"));
}

TEST(CopyTest, ToHostCopiesOnlyFromDevices) {
  FakeCuda cuda;
  std::vector<std::byte> bytes = Bytes("abc");
  const auto same = ToHost(Payload(nullptr, bytes.data(), 3));
  EXPECT_EQ(same->data(), bytes.data());
  const auto copy = ToHost(Payload(nullptr, bytes.data(), 3, {MemoryKind::kGpu, 0}));
  ASSERT_TRUE(copy.ok());
  EXPECT_NE(copy->data(), bytes.data());
  EXPECT_TRUE(copy->place().HostAccessible());
  EXPECT_EQ(std::memcmp(copy->data(), "abc", 3), 0);
}

TEST(CudaSharedMemoryTest, OpensTheClientsMemoryOnItsDevice) {
  FakeCuda cuda;
  std::vector<std::byte> memory = Bytes("0123456789");
  SharedMemoryRegistry registry(true);
  ASSERT_TRUE(registry.RegisterCuda("r", cuda.Share(memory), 1, 10).ok());
  EXPECT_EQ(cuda.opened(), 1);
  const auto status = registry.Status(kCuda, "r");
  ASSERT_EQ(status->size(), 1u);
  EXPECT_EQ((*status)[0].device, 1);
  EXPECT_EQ((*status)[0].byte_size, 10u);
  SharedMemoryRegistry successor(true);
  ASSERT_TRUE(successor.Register((*status)[0]).ok());
  EXPECT_EQ(successor.Status(kCuda, "r")->front().handle, (*status)[0].handle);
  EXPECT_EQ(cuda.opened(), 2);
  successor.Unregister(kCuda, "");
  EXPECT_EQ(Message(registry.Status(SharedMemoryKind::kSystem, "r").status()),
            "The region named 'r' is registered as CUDA shared memory, not system shared memory");

  std::optional<SharedMemoryRegistry::Lease> lease = *registry.Use({"r", 2, 3}, std::nullopt);
  EXPECT_EQ(Text(lease->buffer()), "234");
  EXPECT_EQ(lease->buffer().place(), (MemoryPlace{MemoryKind::kGpu, 1}));
  registry.Unregister(SharedMemoryKind::kSystem, "");
  EXPECT_EQ(registry.Status(kCuda, "")->size(), 1u);
  registry.Unregister(kCuda, "");
  EXPECT_EQ(cuda.opened(), 1) << "still in use";
  lease.reset();
  EXPECT_EQ(cuda.opened(), 0);
}

TEST(CudaSharedMemoryTest, AResetOfTheDeviceBreaksItsRegions) {
  FakeCuda cuda;
  std::vector<std::byte> memory(16);
  const std::string handle = cuda.Share(memory);
  SharedMemoryRegistry registry(true);
  ASSERT_TRUE(registry.RegisterCuda("old", handle, 0, 16).ok());
  std::optional<SharedMemoryRegistry::Lease> lease = *registry.Use({"old", 0, 8}, std::nullopt);
  EXPECT_TRUE(lease->Check().ok());
  cuda.Reset();
  const std::string text =
      "the device behind shared memory region 'old' has failed or been reset since it was "
      "registered";
  EXPECT_EQ(Message(lease->Check()), text);
  EXPECT_EQ(Message(registry.Use({"old", 0, 8}, std::nullopt).status()), text);
  // The same memory, at the same address, opened again: it is not the old region's to close.
  ASSERT_TRUE(registry.RegisterCuda("new", handle, 0, 16).ok());
  lease.reset();
  registry.Unregister(kCuda, "old");
  EXPECT_EQ(cuda.opened(), 1);
  EXPECT_TRUE(registry.Use({"new", 0, 8}, std::nullopt).ok());
}

TEST(CudaSharedMemoryTest, BadRegistrationsLeaveNothingOpen) {
  FakeCuda cuda;
  std::vector<std::byte> memory(10);
  const std::string handle = cuda.Share(memory);
  const std::string malformed = "'raw_handle' must be a valid base64 encoded cudaIpcMemHandle_t";
  const std::string refused = "failed to register shared memory region: invalid args";
  struct Row {
    std::string handle;
    int64_t device;
    uint64_t byte_size;
    std::string text;
  };
  const Row rows[] = {
      {"", 0, 10, malformed},
      {handle.substr(1), 0, 10, malformed},
      {handle + "x", 0, 10, malformed},
      {std::string(64, 'x'), 0, 10, refused},
      {handle, -1, 10, refused},
      {handle, 2, 10, refused},
      {handle, int64_t{1} << 32, 10, refused},
      {handle, 0, 11, refused},
      {handle, 0, 0, refused},
      {handle, 0, ~uint64_t{0}, refused},
  };
  SharedMemoryRegistry registry(true);
  for (const Row& row : rows) {
    const absl::Status status = registry.RegisterCuda("r", row.handle, row.device, row.byte_size);
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    EXPECT_EQ(Message(status), row.text);
  }
  EXPECT_EQ(cuda.opened(), 0);
  EXPECT_EQ(Message(registry.RegisterCuda("", handle, 0, 10)),
            "'region name' is necessary to register cuda shared memory region");
}

TEST(CudaSharedMemoryTest, WithoutADeviceItSaysSo) {
  if (CudaDriver::Find() != nullptr) GTEST_SKIP() << "this machine has a GPU";
  SharedMemoryRegistry registry(true);
  const absl::Status status = registry.RegisterCuda("r", std::string(64, 'x'), 0, 10);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(Message(status),
            "failed to register CUDA shared memory region: 'r', GPUs not supported");
}

class PinningTest : public ::testing::Test {
 protected:
  PinningTest() { EXPECT_TRUE(registry_.RegisterSystem("r", object_.key(), 0, 4096).ok()); }
  MemoryPlace Use(std::optional<int> gpu) {
    return registry_.Use({"r", 0, 8}, gpu)->buffer().place();
  }

  FakeCuda cuda_;
  SharedMemoryObject object_{4096};
  SharedMemoryRegistry registry_{true};
};

TEST_F(PinningTest, PagesArePinnedOnceAGpuUsesThem) {
  Use(std::nullopt);
  EXPECT_EQ(cuda_.contexts_held(), 0) << "no GPU uses them yet";
  Use(1);
  while (Use(1).kind != MemoryKind::kPinned) std::this_thread::yield();
  EXPECT_EQ(Use(0), (MemoryPlace{MemoryKind::kPinned, 1}));
  EXPECT_EQ(cuda_.pinned(), 1);
  registry_.Unregister(SharedMemoryKind::kSystem, "r");
  EXPECT_EQ(cuda_.pinned(), 0);
}

TEST_F(PinningTest, PagesThatCannotBePinnedAreUsedAsTheyAre) {
  cuda_.refuses_to_pin = true;
  Use(0);
  registry_.Unregister(SharedMemoryKind::kSystem, "r");  // waits for the attempt
  EXPECT_EQ(cuda_.contexts_held(), 1);
  EXPECT_EQ(cuda_.pinned(), 0);
}

}  // namespace
}  // namespace nereid
