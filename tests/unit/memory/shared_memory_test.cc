#include "memory/shared_memory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/strings.h"
#include "support/shared_memory_object.h"

namespace nereid {
namespace {

using testing::SharedMemoryObject;
constexpr auto kSystem = SharedMemoryKind::kSystem;
constexpr auto kCuda = SharedMemoryKind::kCuda;
constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

class SharedMemoryTest : public ::testing::Test {
 protected:
  absl::Status Register(const std::string& name, uint64_t byte_size = 4096, uint64_t offset = 0) {
    return registry_.RegisterSystem(name, object_.key(), offset, byte_size);
  }
  absl::StatusOr<SharedMemoryRegistry::Lease> Use(std::string_view name, uint64_t offset = 0,
                                                  uint64_t byte_size = 8) {
    return registry_.Use({name, offset, byte_size}, std::nullopt);
  }
  size_t Count() const { return registry_.Status(kSystem, "")->size(); }

  SharedMemoryObject object_{3 * 4096};
  SharedMemoryRegistry registry_{true};
};

void ExpectStatus(const absl::Status& status, absl::StatusCode code, std::string_view text) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_EQ(Message(status), text);
}

TEST_F(SharedMemoryTest, ReadsAndWritesWhatTheClientSees) {
  ASSERT_TRUE(Register("r", 4096, 4096).ok());
  std::memcpy(object_.data() + 4096 + 16, "client", 6);
  const auto lease = Use("r", 16, 6);
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_EQ(lease->buffer().size(), 6u);
  EXPECT_EQ(lease->buffer().place(), MemoryPlace{});
  EXPECT_EQ(std::memcmp(lease->buffer().data(), "client", 6), 0);
  std::memcpy(lease->buffer().data(), "server", 6);
  EXPECT_EQ(std::memcmp(object_.data() + 4096 + 16, "server", 6), 0);
}

TEST_F(SharedMemoryTest, NothingIsRegisteredWhereClientsMayNot) {
  SharedMemoryRegistry closed(false);
  const std::string text =
      "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to "
      "enable.";
  ExpectStatus(closed.CheckAllowed(), absl::StatusCode::kUnimplemented, text);
  ExpectStatus(closed.RegisterSystem("r", object_.key(), 0, 64), absl::StatusCode::kUnimplemented,
               text);
  ExpectStatus(closed.RegisterCuda("r", std::string(64, 'x'), 0, 64),
               absl::StatusCode::kUnimplemented, text);
  EXPECT_TRUE(closed.Status(kSystem, "")->empty());
}

TEST_F(SharedMemoryTest, BadRegistrationsSayWhatIsWrong) {
  SharedMemoryObject empty(4096);
  empty.Resize(0);
  ASSERT_TRUE(Register("taken").ok());
  const std::string reserved = "triton_python_backend_shm_region_1";
  struct Row {
    std::string name, key;
    uint64_t offset, byte_size;
    absl::StatusCode code;
    std::string text;
  };
  const std::string& key = object_.key();
  const std::string failed = "failed to register shared memory region 'r': ";
  const auto kInvalid = absl::StatusCode::kInvalidArgument;
  const auto kInternal = absl::StatusCode::kInternal;
  const Row rows[] = {
      {"", key, 0, 64, kInvalid,
       "'region name' is necessary to register system shared memory region"},
      {"taken", key, 0, 64, absl::StatusCode::kAlreadyExists,
       "shared memory region 'taken' already in manager"},
      {"r", "", 0, 64, kInvalid, "cannot register shared memory region 'r' - invalid shm key ''"},
      {"r", "///", 0, 64, kInvalid,
       "cannot register shared memory region 'r' - invalid shm key '///'"},
      {"r", key + std::string("\0x", 2), 0, 64, kInvalid,
       StrCat("cannot register shared memory region 'r' - invalid shm key '",
              key + std::string("\0x", 2), "'")},
      {"r", "//" + reserved, 0, 64, kInvalid,
       StrCat("cannot register shared memory region 'r' with key '//", reserved,
              "' as the key contains the reserved prefix 'triton_python_backend_shm_region_'")},
      {"r", "/nereid_no_such_object", 0, 64, kInternal,
       "Unable to open shared memory region: '/nereid_no_such_object'"},
      {"r", "/../etc/passwd", 0, 64, kInternal,
       "Unable to open shared memory region: '/../etc/passwd'"},
      {"r", "..", 0, 64, kInternal, "Unable to open shared memory region: '..'"},
      {"r", key, 0, 3 * 4096 + 1, kInvalid, failed + "invalid args"},
      {"r", key, 3 * 4096, 1, kInvalid, failed + "invalid args"},
      {"r", key, 3 * 4096 + 1, 0, kInvalid, failed + "invalid args"},
      {"r", key, kMax, 2, kInvalid, failed + "invalid args"},
      {"r", key, 1, kMax, kInvalid, failed + "invalid args"},
      {"r", empty.key(), 0, 1, kInvalid, failed + "invalid args"},
      {"r", key, 0, 0, kInvalid, failed + "unable to process address spaceInvalid argument"},
      {"r", key, 7, 64, kInvalid, failed + "unable to process address spaceInvalid argument"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    ExpectStatus(registry_.RegisterSystem(row.name, row.key, row.offset, row.byte_size), row.code,
                 row.text);
  }
  EXPECT_EQ(Count(), 1u);
}

TEST_F(SharedMemoryTest, WhatIsNotAFileIsRefused) {
  const std::string name = StrCat("nereid_test_fifo_", getpid());
  const std::string path = "/dev/shm/" + name;
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  ExpectStatus(registry_.RegisterSystem("r", name, 0, 64), absl::StatusCode::kInternal,
               StrCat("Invalid shared memory region: '", name, "'"));
  unlink(path.c_str());
}

TEST_F(SharedMemoryTest, RangesStayInsideTheirRegion) {
  ASSERT_TRUE(Register("r", 100).ok());
  struct Row {
    uint64_t offset, byte_size;
    std::string text;
  };
  const std::string outside = "Invalid offset for shared memory region: 'r'";
  const std::string beyond = "Invalid offset + byte size for shared memory region: 'r'";
  const Row rows[] = {
      {0, 100, ""},
      {99, 1, ""},
      {50, 0, ""},
      {100, 0, outside},
      {101, 1, outside},
      {kMax, kMax, outside},
      {0, 101, beyond},
      {99, 2, beyond},
      {0, kMax, beyond},
      {1, kMax,
       "Integer overflow detected: byte_size (18446744073709551615) + offset (1) exceeds maximum "
       "value (18446744073709551615) for region 'r'"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(StrCat(row.offset, " + ", row.byte_size));
    const absl::Status status = Use("r", row.offset, row.byte_size).status();
    if (row.text.empty()) {
      EXPECT_TRUE(status.ok()) << status;
    } else {
      ExpectStatus(status, absl::StatusCode::kInvalidArgument, row.text);
    }
  }
  ExpectStatus(Use("other").status(), absl::StatusCode::kNotFound,
               "Unable to find shared memory region: 'other'");
}

TEST_F(SharedMemoryTest, StatusListsWhatWasRegistered) {
  ASSERT_TRUE(Register("b", 64, 4096).ok());
  ASSERT_TRUE(Register("a", 128).ok());
  const auto all = registry_.Status(kSystem, "");
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[0].name, "a");
  EXPECT_EQ((*all)[1].name, "b");
  const auto one = registry_.Status(kSystem, "b");
  ASSERT_EQ(one->size(), 1u);
  EXPECT_EQ((*one)[0].key, object_.key());
  EXPECT_EQ((*one)[0].offset, 4096u);
  EXPECT_EQ((*one)[0].byte_size, 64u);
  EXPECT_TRUE(registry_.Status(kCuda, "")->empty());
  ExpectStatus(registry_.Status(kSystem, "c").status(), absl::StatusCode::kNotFound,
               "Unable to find system shared memory region: 'c'");
  ExpectStatus(registry_.Status(kCuda, "c").status(), absl::StatusCode::kNotFound,
               "Unable to find cuda shared memory region: 'c'");
  ExpectStatus(
      registry_.Status(kCuda, "a").status(), absl::StatusCode::kNotFound,
      "The region named 'a' is registered as system shared memory, not CUDA shared memory");
}

TEST_F(SharedMemoryTest, UnregistersOneOrAllOfAKind) {
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(Register(name).ok());
  registry_.Unregister(kSystem, "unknown");
  registry_.Unregister(kCuda, "a");
  registry_.Unregister(kCuda, "");
  EXPECT_EQ(Count(), 3u);
  registry_.Unregister(kSystem, "a");
  EXPECT_EQ(Count(), 2u);
  EXPECT_TRUE(absl::IsNotFound(Use("a").status()));
  EXPECT_TRUE(Register("a").ok());
  registry_.Unregister(kSystem, "");
  EXPECT_EQ(Count(), 0u);
}

TEST_F(SharedMemoryTest, ARegionInUseStaysUntilTheLastUseEnds) {
  ASSERT_TRUE(Register("r").ok());
  ASSERT_TRUE(Register("idle").ok());
  auto first = Use("r");
  ASSERT_TRUE(first.ok());
  registry_.Unregister(kSystem, "");
  EXPECT_EQ(Count(), 1u);
  EXPECT_TRUE(absl::IsAlreadyExists(Register("r")));

  std::optional<SharedMemoryRegistry::Lease> second = *Use("r");
  first = absl::CancelledError();  // ends the first use
  EXPECT_EQ(Count(), 1u);
  second.reset();
  EXPECT_EQ(Count(), 0u);
  EXPECT_TRUE(Register("r").ok());
  { const auto lease = Use("r"); }
  EXPECT_EQ(Count(), 1u) << "the end of a use unregisters only what was to go";
}

TEST_F(SharedMemoryTest, BytesOutliveTheirRegionAndTheObject) {
  Buffer buffer;
  {
    SharedMemoryObject object(4096);
    std::memcpy(object.data(), "still here", 10);
    ASSERT_TRUE(registry_.RegisterSystem("r", object.key(), 0, 4096).ok());
    buffer = Use("r", 0, 10)->buffer();
    registry_.Unregister(kSystem, "r");
  }
  EXPECT_EQ(Count(), 0u);
  EXPECT_EQ(std::memcmp(buffer.data(), "still here", 10), 0);
}

TEST_F(SharedMemoryTest, AMovedLeaseEndsOnce) {
  ASSERT_TRUE(Register("r").ok());
  std::vector<SharedMemoryRegistry::Lease> leases;
  for (int i = 0; i < 5; ++i) leases.push_back(*Use("r"));
  leases[0] = std::move(leases[4]);
  leases.pop_back();
  registry_.Unregister(kSystem, "r");
  EXPECT_EQ(Count(), 1u);
  leases.clear();
  EXPECT_EQ(Count(), 0u);
}

TEST_F(SharedMemoryTest, AnObjectThatShrinksBreaksItsRegionButNotTheServer) {
  ASSERT_TRUE(Register("r", 3 * 4096).ok());
  std::memset(object_.data(), 1, 3 * 4096);
  const auto lease = Use("r", 0, 3 * 4096);
  ASSERT_TRUE(lease.ok());
  object_.Resize(4096);
  EXPECT_TRUE(lease->Check().ok()) << "nobody has looked yet";
  int sum = 0;
  for (size_t i = 0; i < lease->buffer().size(); ++i) {
    sum += static_cast<int>(lease->buffer().data()[i]);
  }
  EXPECT_EQ(sum, 4096) << "what is gone reads as zeros";
  lease->buffer().data()[3 * 4096 - 1] = std::byte{1};
  const std::string text =
      "the object behind shared memory region 'r' has shrunk since it was registered";
  ExpectStatus(lease->Check(), absl::StatusCode::kInternal, text);
  ExpectStatus(Use("r").status(), absl::StatusCode::kInternal, text);
  // A region that is registered anew, where the old one was, is whole.
  registry_.Unregister(kSystem, "r");
  ASSERT_TRUE(Register("again", 4096).ok());
  EXPECT_TRUE(Use("again")->Check().ok());
}

TEST_F(SharedMemoryTest, OtherBusErrorsStillEndTheProcess) {
  ASSERT_TRUE(Register("r").ok());
  object_.Resize(0);
  EXPECT_EXIT(
      {
        volatile std::byte* own_mapping = object_.data();
        static_cast<void>(own_mapping[0]);
        std::exit(0);
      },
      [](int status) { return !WIFEXITED(status) || WEXITSTATUS(status) != 0; }, "");
}

TEST_F(SharedMemoryTest, UsesAndRegistrationsMayRace) {
  constexpr int kRounds = 2000;
  std::thread registrar([&] {
    for (int i = 0; i < kRounds; ++i) {
      static_cast<void>(Register("r"));
      registry_.Unregister(kSystem, i % 2 == 0 ? "r" : "");
    }
  });
  std::vector<std::thread> users;
  for (int t = 0; t < 3; ++t) {
    users.emplace_back([this, t] {
      for (int i = 0; i < kRounds; ++i) {
        const auto lease = Use("r", 0, 64);
        if (lease.ok()) lease->buffer().data()[t] = std::byte{1};
      }
    });
  }
  registrar.join();
  for (std::thread& user : users) user.join();
  registry_.Unregister(kSystem, "");
  EXPECT_EQ(Count(), 0u);
}

}  // namespace
}  // namespace nereid
