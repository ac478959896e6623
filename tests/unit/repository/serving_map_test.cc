#include "repository/serving_map.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/config_text.h"
#include "support/fake_loader.h"

namespace nereid {
namespace {

using enum VersionState;

class ServingMapTest : public ::testing::Test {
 protected:
  ServableHandle Make(const std::string& name, int64_t version) {
    return std::make_shared<testing::RecordedServable>(record_, testing::RequestFor(name, version),
                                                       ++made_);
  }
  static std::shared_ptr<const ServingVersion> Version(int64_t version, VersionState state,
                                                       const ServableHandle& handle = nullptr) {
    return std::make_shared<const ServingVersion>(version, state, handle);
  }
  static std::string Error(const absl::StatusOr<ServableHandle>& found) {
    return std::string(found.status().message());
  }

  const std::shared_ptr<testing::LoadRecord> record_ = std::make_shared<testing::LoadRecord>();
  int made_ = 0;
  ServingMap map_{false};
};

TEST_F(ServingMapTest, LatestIsTheHighestReadyVersion) {
  map_.Update({"", "m"}, {Version(1, kReady, Make("m", 1)), Version(2, kReady, Make("m", 2)),
                          Version(3, kUnavailable)});
  EXPECT_EQ((*map_.Resolve("m", kLatestVersion))->version(), 2);
  EXPECT_EQ((*map_.Resolve("m", 1))->version(), 1);
  EXPECT_EQ(*map_.ReadyVersions("m"), (std::vector<int64_t>{1, 2}));
}

TEST_F(ServingMapTest, ErrorsCarryTheTextsOfTheProtocol) {
  map_.Update({"", "m"}, {Version(1, kUnavailable), Version(2, kLoading)});
  auto found = map_.Resolve("x", kLatestVersion);
  EXPECT_TRUE(absl::IsNotFound(found.status()));
  EXPECT_EQ(Error(found), "Request for unknown model: 'x' is not found");
  found = map_.Resolve("m", 9);
  EXPECT_TRUE(absl::IsNotFound(found.status()));
  EXPECT_EQ(Error(found), "Request for unknown model: 'm' version 9 is not found");
  found = map_.Resolve("m", 2);
  EXPECT_TRUE(absl::IsUnavailable(found.status()));
  EXPECT_EQ(Error(found), "Request for unknown model: 'm' version 2 is not at ready state");
  found = map_.Resolve("m", kLatestVersion);
  EXPECT_TRUE(absl::IsNotFound(found.status()));
  EXPECT_EQ(Error(found), "Request for unknown model: 'm' has no available versions");
}

TEST_F(ServingMapTest, AModelWithoutVersionsIsForgotten) {
  map_.Update({"", "m"}, {Version(1, kReady, Make("m", 1))});
  map_.Update({"", "m"}, {});
  EXPECT_TRUE(absl::IsNotFound(map_.Resolve("m", 1).status()));
  EXPECT_EQ(record_->alive(), 0);
}

TEST_F(ServingMapTest, NothingStaysAliveAfterItWasTakenAway) {
  map_.Update({"", "m"}, {Version(1, kReady, Make("m", 1))});
  // Threads that once looked at the map keep nothing of it.
  std::thread([&] { EXPECT_TRUE(map_.Resolve("m", 1).ok()); }).join();
  EXPECT_TRUE(map_.Resolve("m", 1).ok());
  map_.Update({"", "m"}, {Version(1, kUnloading)});
  EXPECT_EQ(record_->alive(), 0);
}

TEST_F(ServingMapTest, AHandleOutlivesTheEntry) {
  map_.Update({"", "m"}, {Version(1, kReady, Make("m", 1))});
  ServableHandle handle = *map_.Resolve("m", 1);
  map_.Clear();
  EXPECT_EQ(record_->alive(), 1);
  EXPECT_EQ(handle->version(), 1);
  handle.reset();
  EXPECT_EQ(record_->alive(), 0);
}

TEST_F(ServingMapTest, AllReadyIsInOrderOfNameAndVersion) {
  map_.Update({"", "b"}, {Version(1, kReady, Make("b", 1))});
  map_.Update({"", "a"}, {Version(1, kReady, Make("a", 1)), Version(2, kReady, Make("a", 2)),
                          Version(3, kLoading)});
  std::vector<std::string> names;
  for (const ServableHandle& handle : map_.AllReady()) {
    names.push_back(StrCat(handle->config()->name(), ":", handle->version()));
  }
  EXPECT_EQ(names, (std::vector<std::string>{"a:1", "a:2", "b:1"}));
}

TEST_F(ServingMapTest, WithNamespacesAnAmbiguousNameIsRefused) {
  ServingMap map(true);
  map.Update({"/a", "m"}, {Version(1, kReady, Make("m", 1))});
  EXPECT_TRUE(map.Resolve("m", kLatestVersion).ok());
  map.Update({"/b", "m"}, {Version(1, kReady, Make("m", 1))});
  const auto found = map.Resolve("m", kLatestVersion);
  EXPECT_TRUE(absl::IsInvalidArgument(found.status()));
  EXPECT_EQ(Error(found),
            "There are 2 identifiers of model 'm' in global map, model namespace must be provided "
            "to resolve ambiguity.");
  map.Update({"/a", "m"}, {Version(1, kUnavailable)});
  EXPECT_TRUE(map.Resolve("m", kLatestVersion).ok());
}

TEST_F(ServingMapTest, WithNamespacesAnUnknownNameIsAnInvalidArgument) {
  const ServingMap map(true);
  const auto found = map.Resolve("x", kLatestVersion);
  EXPECT_TRUE(absl::IsInvalidArgument(found.status()));
  EXPECT_EQ(Error(found), "Request for unknown model: 'x' is not found");
}

TEST_F(ServingMapTest, EveryResolveFindsAModelWhileItIsExchanged) {
  map_.Update({"", "m"}, {Version(1, kReady, Make("m", 1))});
  std::atomic<bool> stop{false};
  std::atomic<int> failed{0};
  std::atomic<int> backwards{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      int last = 0;
      while (!stop) {
        const auto found = map_.Resolve("m", kLatestVersion);
        if (!found.ok()) {
          ++failed;
          continue;
        }
        const int serial = testing::Recorded(*found).serial();
        if (serial < last) ++backwards;
        last = serial;
      }
    });
  }
  for (int n = 0; n < 300; ++n) {
    map_.Update({"", "m"}, {Version(1, kReady, Make("m", 1))});
    map_.Update({"", "other"}, {Version(1, kReady, Make("other", 1))});
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(backwards, 0);
  EXPECT_EQ(record_->alive(), 2);
}

}  // namespace
}  // namespace nereid
