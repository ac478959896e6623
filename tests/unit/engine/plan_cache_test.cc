#include "backends/cuda/plan/plan_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>
#include <vector>

#include "backends/cuda/plan/model_digest.h"
#include "backends/cuda/plan/plan_folder.h"
#include "common/log.h"
#include "common/strings.h"
#include "support/temp_directory.h"

namespace nereid::engine {
namespace {

namespace fs = std::filesystem;

const ArtifactScope kKernels = {"kernels for sm_90a", "NVRTC 13.0"};
const ArtifactScope kTactics = {"tactics of cuDNN on a GPU", "cuDNN 9"};

PlanContents Sample() {
  PlanContents contents{"model", {}};
  contents.sections.push_back({"a", "1", {{"key", std::string("\0\xff", 2)}, {"", ""}}});
  contents.sections.push_back({"b", "2", {}});
  return contents;
}

bool Equal(const PlanContents& a, const PlanContents& b) { return EncodePlan(a) == EncodePlan(b); }

TEST(PlanFileTest, GivesBackWhatWasPutIn) {
  for (const PlanContents& contents : {Sample(), PlanContents{"", {}}}) {
    const auto decoded = DecodePlan(EncodePlan(contents));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_TRUE(Equal(*decoded, contents));
    EXPECT_EQ(decoded->model, contents.model);
    ASSERT_EQ(decoded->sections.size(), contents.sections.size());
    for (size_t i = 0; i < contents.sections.size(); ++i) {
      EXPECT_EQ(decoded->sections[i].entries, contents.sections[i].entries);
    }
  }
}

TEST(PlanFileTest, EveryDamagedByteIsNoticed) {
  const std::string bytes = EncodePlan(Sample());
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const int change : {0x01, 0x80, 0xff}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ change);
      EXPECT_FALSE(DecodePlan(damaged).ok()) << "byte " << i << " changed by " << change;
    }
  }
}

TEST(PlanFileTest, EveryCutAndEveryTailIsNoticed) {
  const std::string bytes = EncodePlan(Sample());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_TRUE(absl::IsDataLoss(DecodePlan(bytes.substr(0, size)).status())) << size;
  }
  EXPECT_TRUE(absl::IsDataLoss(DecodePlan(bytes + '\0').status()));
  EXPECT_TRUE(absl::IsDataLoss(DecodePlan(bytes + bytes).status()));
}

TEST(PlanFileTest, AnotherFormatIsNamed) {
  std::string bytes = EncodePlan(Sample());
  bytes[8] = 2;
  const absl::Status status = DecodePlan(bytes).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(Message(status).find("format 2"), std::string_view::npos);
}

TEST(ModelDigestTest, DependsOnEveryFileAndOnWhereOneEnds) {
  const std::string large(9 << 20, 'x');
  std::string other = large;
  other.back() = 'y';
  EXPECT_EQ(ModelDigest({large, "data"}), ModelDigest({large, "data"}));
  EXPECT_NE(ModelDigest({large, "data"}), ModelDigest({other, "data"}));
  EXPECT_NE(ModelDigest({large, "data"}), ModelDigest({large}));
  EXPECT_NE(ModelDigest({"ab", "c"}), ModelDigest({"a", "bc"}));
}

class PlanCacheTest : public ::testing::Test {
 protected:
  std::shared_ptr<PlanCache> Open(const std::string& model = "m", std::string shipped = "",
                                  uint64_t limit = 1 << 20) {
    return PlanCache::Open({folder_, limit, std::move(shipped)}, model);
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      names.push_back(entry.path().filename().string());
    }
    std::ranges::sort(names);
    return names;
  }
  // What `work` logs.
  std::string LogOf(const std::function<void()>& work) {
    const LogOptions before = CurrentLogOptions();
    LogOptions options = before;
    options.file = StrCat(directory_.path(), "/log", ++logs_);
    EXPECT_TRUE(ConfigureLog(options).ok());
    work();
    EXPECT_TRUE(ConfigureLog(before).ok());
    std::ifstream file(options.file);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static int CountOf(const std::string& text, const std::string& word) {
    int count = 0;
    for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += word.size()) ++count;
    return count;
  }
  static void Write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }

  testing::TempDirectory directory_;
  const std::string folder_ = StrCat(directory_.path(), "/plans/of/models");
  int logs_ = 0;
};

TEST_F(PlanCacheTest, ALaterProcessFindsWhatWasRemembered) {
  {
    const auto cache = Open();
    EXPECT_EQ(cache->Find(kKernels, "source"), std::nullopt);
    cache->Remember(kKernels, "source", "code");
    EXPECT_EQ(cache->Find(kKernels, "source"), "code");
    cache->Save();
  }
  const auto cache = Open();
  EXPECT_EQ(cache->Find(kKernels, "source"), "code");
  EXPECT_EQ(cache->Find(kTactics, "source"), std::nullopt);
  EXPECT_EQ(cache->counts().found, 1);
  EXPECT_EQ(Open("other")->Find(kKernels, "source"), std::nullopt);
  EXPECT_EQ(Files(), std::vector<std::string>{"m.plan"});
}

TEST_F(PlanCacheTest, NothingNewIsNotWritten) {
  const auto cache = Open();
  EXPECT_EQ(cache->Find(kKernels, "source"), std::nullopt);
  cache->Save();
  EXPECT_FALSE(fs::exists(folder_));
}

TEST_F(PlanCacheTest, ASectionOfAnotherVersionIsMadeAgainAndTheOthersStay) {
  {
    const auto cache = Open();
    cache->Remember(kKernels, "old", "code");
    cache->Remember(kTactics, "conv", "41 2:1");
    cache->Save();
  }
  const ArtifactScope newer = {kKernels.subject, "NVRTC 13.1"};
  {
    const auto cache = Open();
    EXPECT_EQ(cache->Find(newer, "old"), std::nullopt);
    cache->Remember(newer, "new", "better code");
    cache->Save();
  }
  const auto cache = Open();
  EXPECT_EQ(cache->Find(newer, "new"), "better code");
  EXPECT_EQ(cache->Find(newer, "old"), std::nullopt);
  EXPECT_EQ(cache->Find(kTactics, "conv"), "41 2:1");
}

TEST_F(PlanCacheTest, ABadFileIsIgnoredWithOneWarningAndReplaced) {
  std::string foreign = EncodePlan({"another model", {}});
  std::string newer = EncodePlan({"m", {}});
  newer[8] = 9;
  const std::string good = EncodePlan({"m", {{kKernels.subject, kKernels.version, {{"k", "v"}}}}});
  for (const std::string& bytes :
       {std::string("no plan"), good.substr(0, good.size() / 2), newer, foreign}) {
    fs::create_directories(folder_);
    Write(folder_ + "/m.plan", bytes);
    const std::string log = LogOf([&] {
      const auto cache = Open();
      EXPECT_EQ(cache->Find(kKernels, "k"), std::nullopt);
      cache->Remember(kKernels, "k", "w");
      cache->Save();
      cache->Remember(kKernels, "k2", "w");
      cache->Save();
    });
    EXPECT_EQ(CountOf(log, "is ignored"), 1) << log;
    EXPECT_EQ(CountOf(log, "\n"), 1) << log;
    EXPECT_EQ(LogOf([&] { EXPECT_EQ(Open()->Find(kKernels, "k"), "w"); }), "");
  }
}

TEST_F(PlanCacheTest, AFolderThatCannotBeWrittenCostsOneWarning) {
  Write(directory_.path() + "/plans", "a file where the folder should be");
  const std::string log = LogOf([&] {
    const auto cache = Open();
    for (const char* key : {"a", "b"}) {
      cache->Remember(kKernels, key, "code");
      cache->Save();
    }
    EXPECT_EQ(cache->Find(kKernels, "a"), "code");
  });
  EXPECT_EQ(CountOf(log, "is not kept"), 1) << log;
}

TEST_F(PlanCacheTest, APlanThatCameWithTheModelIsReadAndNeverWritten) {
  const std::string shipped = directory_.path() + "/model.plan";
  {
    const auto cache = PlanCache::Open({}, "m");
    cache->Remember(kKernels, "k", "shipped");
    cache->Save();  // nowhere
    ASSERT_TRUE(cache->SaveTo(shipped).ok());
  }
  const auto before = fs::last_write_time(shipped);
  const auto cache = Open("m", shipped);
  EXPECT_EQ(cache->Find(kKernels, "k"), "shipped");
  cache->Remember(kKernels, "k2", "own");
  cache->Save();
  EXPECT_EQ(fs::last_write_time(shipped), before);
  EXPECT_EQ(Open()->Find(kKernels, "k"), "shipped") << "the folder's plan has all of it";
  EXPECT_EQ(CountOf(LogOf([&] { Open("other model", shipped); }), "another model"), 1);
}

TEST_F(PlanCacheTest, WritersInSeveralThreadsLoseNothing) {
  constexpr int kWriters = 8;
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([&, i] {
      for (int round = 0; round < 5; ++round) {
        const auto cache = Open();
        cache->Remember(i % 2 == 0 ? kKernels : kTactics, StrCat(i, " ", round), "x");
        cache->Save();
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  const auto cache = Open();
  for (int i = 0; i < kWriters; ++i) {
    for (int round = 0; round < 5; ++round) {
      EXPECT_EQ(cache->Find(i % 2 == 0 ? kKernels : kTactics, StrCat(i, " ", round)), "x")
          << i << " " << round;
    }
  }
  EXPECT_EQ(Files(), std::vector<std::string>{"m.plan"});
}

TEST_F(PlanCacheTest, WritersInSeveralProcessesLoseNothing) {
  constexpr int kWriters = 4;
  std::vector<pid_t> writers;
  for (int i = 0; i < kWriters; ++i) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (int round = 0; round < 10; ++round) {
        const auto cache = Open();
        cache->Remember(kKernels, StrCat(i, " ", round), "x");
        cache->Save();
      }
      _exit(0);
    }
    writers.push_back(child);
  }
  for (const pid_t child : writers) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  const auto cache = Open();
  for (int i = 0; i < kWriters; ++i) {
    for (int round = 0; round < 10; ++round) {
      EXPECT_EQ(cache->Find(kKernels, StrCat(i, " ", round)), "x") << i << " " << round;
    }
  }
}

TEST_F(PlanCacheTest, ThePlansUnusedLongestGo) {
  constexpr uint64_t kLimit = 3500;
  const auto save = [&](const std::string& model) {
    const auto cache = Open(model, "", kLimit);
    cache->Remember(kKernels, "k", std::string(800, 'x'));
    cache->Save();
  };
  const auto age = [&](const std::string& model, int minutes) {
    fs::last_write_time(folder_ + "/" + model + ".plan",
                        fs::file_time_type::clock::now() - std::chrono::minutes(minutes));
  };
  for (const char* model : {"a", "b", "c"}) save(model);
  age("a", 30), age("b", 20), age("c", 10);
  Open("a");  // has been used now
  save("d");
  EXPECT_EQ(Files(), (std::vector<std::string>{"a.plan", "c.plan", "d.plan"}));
  save("e");
  EXPECT_EQ(Files(), (std::vector<std::string>{"a.plan", "d.plan", "e.plan"}));
}

TEST_F(PlanCacheTest, APlanLargerThanTheLimitStaysUntilTheNext) {
  const auto cache = Open("large", "", 100);
  cache->Remember(kKernels, "k", std::string(800, 'x'));
  cache->Save();
  EXPECT_EQ(Files(), std::vector<std::string>{"large.plan"});
}

TEST_F(PlanCacheTest, WhatACrashedWriterLeftGoes) {
  fs::create_directories(folder_);
  const std::string old = folder_ + "/m.plan.1.1.tmp", fresh = folder_ + "/m.plan.2.1.tmp";
  Write(old, "half a plan");
  Write(fresh, "half a plan");
  fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(2));
  const auto cache = Open();
  cache->Remember(kKernels, "k", "v");
  cache->Save();
  EXPECT_EQ(Files(), (std::vector<std::string>{"m.plan", "m.plan.2.1.tmp"}));
}

TEST_F(PlanCacheTest, OtherPeoplesFilesStay) {
  fs::create_directories(folder_);
  const std::vector<std::string> others = {"model.onnx", "model.onnx.plan", "notes", "old.tmp"};
  for (const std::string& name : others) {
    Write(folder_ + "/" + name, std::string(1000, 'x'));
    fs::last_write_time(folder_ + "/" + name,
                        fs::file_time_type::clock::now() - std::chrono::hours(2));
  }
  const auto cache = Open("m", "", 1);
  cache->Remember(kKernels, "k", "v");
  cache->Save();
  EXPECT_EQ(Files(), (std::vector<std::string>{"m.plan", "model.onnx", "model.onnx.plan", "notes",
                                               "old.tmp"}));
}

}  // namespace
}  // namespace nereid::engine
