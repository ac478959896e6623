#include <gtest/gtest.h>

#include <string>

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

TEST(ShapesKey, TellsShapesApart) {
  EXPECT_NE(ShapesKey({{1, 2}}), ShapesKey({{12}}));
  EXPECT_NE(ShapesKey({{1}, {2}}), ShapesKey({{1, 2}}));
  EXPECT_NE(ShapesKey({{}, {1}}), ShapesKey({{1}, {}}));
}

}  // namespace
}  // namespace nereid::engine
