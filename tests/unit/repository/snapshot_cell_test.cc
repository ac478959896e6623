#include "repository/snapshot_cell.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace nereid {
namespace {

// Two halves that are equal in every object; `alive` counts objects.
struct Pair {
  Pair(int value, std::atomic<int>* alive) : first(value), second(value), alive(alive) {
    alive->fetch_add(1);
  }
  ~Pair() { alive->fetch_sub(1); }
  int first, second;
  std::atomic<int>* alive;
};

TEST(SnapshotCellTest, ReplaceHasDestroyedTheOldObjectWhenItReturns) {
  std::atomic<int> alive{0};
  SnapshotCell<Pair> cell(std::make_unique<const Pair>(1, &alive));
  cell.Replace([&](const Pair& old) {
    EXPECT_EQ(old.first, 1);
    return std::make_unique<const Pair>(2, &alive);
  });
  EXPECT_EQ(alive, 1);
  EXPECT_EQ(SnapshotCell<Pair>::Reader(cell)->first, 2);
}

TEST(SnapshotCellTest, ReplaceWaitsForAReaderOfTheOldObject) {
  std::atomic<int> alive{0};
  SnapshotCell<Pair> cell(std::make_unique<const Pair>(1, &alive));
  std::atomic<bool> replaced{false};
  std::thread writer;
  {
    const SnapshotCell<Pair>::Reader reader(cell);
    writer = std::thread([&] {
      cell.Replace([&](const Pair&) { return std::make_unique<const Pair>(2, &alive); });
      replaced = true;
    });
    // The new object exists before the writer begins to wait.
    while (alive != 2) std::this_thread::yield();
    EXPECT_FALSE(replaced);
    EXPECT_EQ(reader->first, 1);
  }
  writer.join();
  EXPECT_EQ(alive, 1);
}

TEST(SnapshotCellTest, ManyReadersSeeWholeObjectsWhileWritersReplaceThem) {
  std::atomic<int> alive{0};
  SnapshotCell<Pair> cell(std::make_unique<const Pair>(0, &alive));
  std::atomic<bool> stop{false};
  std::atomic<int> torn{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      int last = 0;
      while (!stop) {
        const SnapshotCell<Pair>::Reader reader(cell);
        if (reader->first != reader->second || reader->first < last) ++torn;
        last = reader->first;
      }
    });
  }
  std::vector<std::thread> writers;
  for (int i = 0; i < 2; ++i) {
    writers.emplace_back([&] {
      for (int n = 0; n < 500; ++n) {
        cell.Replace(
            [&](const Pair& old) { return std::make_unique<const Pair>(old.first + 1, &alive); });
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(alive, 1);
  EXPECT_EQ(SnapshotCell<Pair>::Reader(cell)->first, 1000);
}

}  // namespace
}  // namespace nereid
