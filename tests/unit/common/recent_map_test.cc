#include "common/recent_map.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace nereid {
namespace {

TEST(RecentMap, KeepsWhatWasUsedLast) {
  RecentMap<std::string, int> map(2);
  map.Keep("a", 1);
  map.Keep("b", 2);
  EXPECT_EQ(map.Find("a"), 1);
  map.Keep("c", 3);
  EXPECT_EQ(map.Find("b"), std::nullopt);
  EXPECT_EQ(map.Find("a"), 1);
  EXPECT_EQ(map.Find("c"), 3);
  EXPECT_EQ(map.size(), 2u);
}

TEST(RecentMap, AKeyHasOneValue) {
  RecentMap<std::string, int> map(2);
  map.Keep("a", 1);
  map.Keep("b", 2);
  map.Keep("a", 3);
  EXPECT_EQ(map.size(), 2u);
  EXPECT_EQ(map.Find("a"), 3);
  map.Keep("c", 4);
  EXPECT_EQ(map.Find("b"), std::nullopt) << "keeping a again was a use of it";
}

TEST(RecentMap, WhatGoesIsDestroyedUnlessSomebodyHoldsIt) {
  RecentMap<int, std::shared_ptr<int>> map(3);
  std::weak_ptr<int> first;
  for (int i = 0; i < 3; ++i) {
    auto value = std::make_shared<int>(i);
    if (i == 0) first = value;
    map.Keep(i, std::move(value));
  }
  const auto held = *map.Find(1);
  map.SetLimit(1);
  EXPECT_TRUE(first.expired());
  EXPECT_EQ(map.Find(0), std::nullopt);
  EXPECT_EQ(map.Find(2), std::nullopt);
  EXPECT_EQ(*held, 1);
  EXPECT_EQ(map.Find(1), held);
}

TEST(RecentMap, MakesWhatIsNotThereOnce) {
  RecentMap<std::string, int> map(2);
  int made = 0;
  const auto make = [&] { return ++made; };
  EXPECT_EQ(map.FindOrKeep("a", make), 1);
  EXPECT_EQ(map.FindOrKeep("b", make), 2);
  EXPECT_EQ(map.FindOrKeep("a", make), 1) << "and it was a use of a";
  EXPECT_EQ(map.FindOrKeep("c", make), 3);
  EXPECT_EQ(map.Find("b"), std::nullopt);
  EXPECT_EQ(map.Find("a"), 1);
  EXPECT_EQ(made, 3);
}

TEST(RecentMap, OfNoEntriesKeepsNone) {
  RecentMap<int, int> map(0);
  EXPECT_EQ(map.FindOrKeep(1, [] { return 2; }), 2);
  map.Keep(1, 1);
  EXPECT_EQ(map.Find(1), std::nullopt);
  EXPECT_EQ(map.size(), 0u);
}

}  // namespace
}  // namespace nereid
