#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "backends/cuda/exec/memory_record.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

MemoryRecord TwoPrograms() {
  MemoryRecord record;
  record.shared = 1000;
  record.Note(ShapesKey({{1, 3, 224, 224}}), {10, 20, 30, 40});
  record.Note(ShapesKey({{8, 128}, {}}), {11, 21, 31, 41});
  return record;
}

TEST(MemoryRecord, IsReadAsItWasWritten) {
  for (const MemoryRecord& record : {MemoryRecord{}, TwoPrograms()}) {
    EXPECT_EQ(MemoryRecord::Decode(record.Encode()), record);
  }
}

TEST(MemoryRecord, ReadsNothingFromWhatItHasNotWritten) {
  const std::string text = TwoPrograms().Encode();
  for (const std::string& wrong :
       {std::string(), std::string("x\n"), std::string("12"), std::string("-1\n"),
        StrCat(text, "1 2 3\n"), StrCat(text, "1 2 3 4 8x,"), StrCat(text, "1 2 3 a 8x,\n"),
        text.substr(0, text.size() - 1)}) {
    EXPECT_EQ(MemoryRecord::Decode(wrong), MemoryRecord{}) << wrong;
  }
}

TEST(MemoryRecord, LaterFindingsReplaceEarlierOnesButMissingGraphsDoNot) {
  MemoryRecord record = TwoPrograms();
  const std::string key = ShapesKey({{1, 3, 224, 224}});
  record.Note(key, {12, 22, 0, 42});
  EXPECT_EQ(record.programs.at(key), (ProgramMemory{12, 22, 30, 42}));
  record.Note(key, {12, 22, 32, 42});
  EXPECT_EQ(record.programs.at(key), (ProgramMemory{12, 22, 32, 42}));
}

TEST(MemoryRecord, StaysSmallWhateverShapesAreRun) {
  MemoryRecord record;
  for (int64_t i = 0; i < 10'000; ++i) record.Note(ShapesKey({{i}}), {1, 2, 3, 4});
  EXPECT_LT(record.Encode().size(), size_t{16} << 10);
  record.Note(ShapesKey({{0}}), {5, 6, 7, 8});
  EXPECT_EQ(record.programs.at(ShapesKey({{0}})).arena, 5u);
}

// Keeps what it is told, and counts.
class FakePlan final : public ArtifactStore {
 public:
  std::optional<std::string> Find(const ArtifactScope& scope, std::string_view key) override {
    const auto found = entries_.find(KeyOf(scope, key));
    return found == entries_.end() ? std::nullopt : std::optional(found->second);
  }
  void Remember(const ArtifactScope& scope, std::string_view key, std::string value) override {
    ++remembered;
    entries_[KeyOf(scope, key)] = std::move(value);
  }
  int remembered = 0;

 private:
  static std::string KeyOf(const ArtifactScope& scope, std::string_view key) {
    return StrCat(scope.subject, "|", scope.version, "|", key);
  }
  std::map<std::string, std::string> entries_;
};

constexpr char kGpu[] = "A GPU, 132 multiprocessors, driver 13000";

TEST(MemoryNotes, AreFoundByFileGpuAndOptions) {
  const MemoryNotes notes({"/no/such/model", kGpu, "fp16"}, nullptr);
  notes.Keep(TwoPrograms());
  EXPECT_EQ(MemoryNotes({"/no/such/model", kGpu, "fp16"}, nullptr).Read(), TwoPrograms());
  for (const MemoryNotes::Subject& other :
       {MemoryNotes::Subject{"/no/other/model", kGpu, "fp16"},
        MemoryNotes::Subject{"/no/such/model", "Another GPU, driver 13000", "fp16"},
        MemoryNotes::Subject{"/no/such/model", kGpu, "fp32"}}) {
    EXPECT_EQ(MemoryNotes(other, nullptr).Read(), MemoryRecord{});
  }
}

TEST(MemoryNotes, APlanCarriesThemToOtherProcesses) {
  const auto plan = std::make_shared<FakePlan>();
  MemoryNotes({"/model/of/one/process", kGpu, "fp16"}, plan).KeepInPlan(TwoPrograms());
  EXPECT_EQ(MemoryNotes({"/model/of/another", kGpu, "fp16"}, plan).Read(), TwoPrograms());
  EXPECT_EQ(MemoryNotes({"/model/of/a/third", StrCat(kGpu, "1"), "fp16"}, plan).Read(),
            MemoryRecord{})
      << "of another driver";
}

TEST(MemoryNotes, NoiseDoesNotChangeThePlan) {
  const auto plan = std::make_shared<FakePlan>();
  const MemoryNotes notes({"/noisy", kGpu, "fp16"}, plan);
  MemoryRecord record = TwoPrograms();
  const std::string key = ShapesKey({{1, 3, 224, 224}});
  const auto remembered = [&](const ProgramMemory& memory) {
    record.Note(key, memory);
    notes.KeepInPlan(record);
    return plan->remembered;
  };
  EXPECT_EQ(remembered({10, 20, 30, 40}), 1);
  EXPECT_EQ(remembered({10, 20, 31, 40}), 1);
  EXPECT_EQ(notes.Read(), record) << "the process knows better";
  EXPECT_EQ(remembered({10, 20, 300, 40}), 2);
  record.Note(ShapesKey({{2}}), {1, 2, 3, 4});
  notes.KeepInPlan(record);
  EXPECT_EQ(plan->remembered, 3) << "a program more";
}

TEST(ShapesKey, TellsShapesApart) {
  EXPECT_NE(ShapesKey({{1, 2}}), ShapesKey({{12}}));
  EXPECT_NE(ShapesKey({{1}, {2}}), ShapesKey({{1, 2}}));
  EXPECT_NE(ShapesKey({{}, {1}}), ShapesKey({{1}, {}}));
}

}  // namespace
}  // namespace nereid::engine
