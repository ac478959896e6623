#include <algorithm>
#include <set>

#include "backends/cuda/exec/difference.h"
#include "backends/cuda/exec/offender.h"
#include "backends/cuda/exec/trace.h"
#include "unit/engine/passes_fixture.h"

namespace nereid::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

HostTensor Floats(const std::vector<float>& values) {
  return HostTensor::Of(DataType::kFp32, {static_cast<int64_t>(values.size())}, values);
}

TEST(DifferenceTest, MeasuresNormAndMaximum) {
  const Difference d = Compare("y", Floats({3, 4.5f}), Floats({3, 4}));
  EXPECT_NEAR(d.relative, 0.5 / 5, 1e-12);
  EXPECT_NEAR(d.largest, 0.5, 1e-12);
  EXPECT_NEAR(d.rms, 5 / std::sqrt(2.0), 1e-12);
  EXPECT_EQ(d.not_finite, 0);
  EXPECT_TRUE(d.Exceeds(0.09));
  EXPECT_FALSE(d.Exceeds(0.11));
}

TEST(DifferenceTest, CountsWhatIsNotFiniteAndShouldBe) {
  const struct {
    float got, want;
    int64_t count;
  } kRows[] = {{1, 1, 0},
               {kNan, 1, 1},
               {kInfinity, 1, 1},
               {1, kNan, 1},
               {kNan, kNan, 0},
               {kInfinity, kInfinity, 0},
               {kNan, kInfinity, 1},
               {kInfinity, -kInfinity, 1}};
  for (const auto& row : kRows) {
    const Difference d = Compare("y", Floats({row.got}), Floats({row.want}));
    EXPECT_EQ(d.not_finite, row.count) << row.got << " for " << row.want;
    EXPECT_EQ(d.Exceeds(1e9), row.count > 0);
  }
  EXPECT_NE(Describe(Compare("y", Floats({kNan}), Floats({1}))).find("NOT FINITE"),
            std::string::npos);
}

TEST(DifferenceTest, AgainstZeroTheDifferenceItselfCounts) {
  EXPECT_NEAR(Compare("y", Floats({0.25f}), Floats({0})).relative, 0.25, 1e-12);
  EXPECT_EQ(Compare("y", Floats({0}), Floats({0})).relative, 0);
}

TEST(TraceTest, EveryFloatingResultIsAnOutputInTheOrderOfTheNodes) {
  GraphMaker maker;
  const ValueId x = maker.Input({2, 3});
  const ValueId a = maker.Op("Tanh", {x});
  const ValueId index = maker.Op("ArgMax", {a});
  const ValueId b = maker.Op("Exp", {a});
  maker.Output(index);
  const Graph traced = WithAllOutputs(maker.graph());
  EXPECT_EQ(traced.outputs, (std::vector<ValueId>{a, b}));
  EXPECT_TRUE(traced.Verify().ok());
  EXPECT_EQ(Evaluate(traced).size(), 2u);
}

// A chain of `count` nodes, of which every second has the same name and every third none.
Graph Chain(int count) {
  GraphMaker maker;
  ValueId value = maker.Input({4});
  for (int i = 0; i < count; ++i) value = maker.Op("Tanh", {value});
  maker.Output(value);
  for (int i = 0; i < count; ++i) {
    if (i % 2 == 0) maker.graph().nodes[static_cast<size_t>(i)].name = "twin";
    if (i % 3 == 0) maker.graph().nodes[static_cast<size_t>(i)].name = "";
  }
  return maker.graph();
}

TEST(OffenderTest, NamesBecomeUniqueAndLayersKeepTheirPrecision) {
  Graph graph = Chain(9);
  PrecisionOptions options;
  options.layers["twin"] = Precision::kBf16;
  NameNodes(graph, options);
  std::set<std::string> names;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    names.insert(graph.nodes[i].name);
    const bool was_twin = i % 2 == 0 && i % 3 != 0;
    EXPECT_EQ(options.Of(graph.nodes[i]), was_twin ? Precision::kBf16 : Precision::kFp16) << i;
  }
  EXPECT_EQ(names.size(), graph.nodes.size());
}

TEST(OffenderTest, IsTheFirstNodeThatSpoilsTheOutcome) {
  constexpr int kNodes = 37;
  for (int culprit = 0; culprit < kNodes; ++culprit) {
    int trials = 0;
    const auto is_bad = [&](const Graph& graph, const PrecisionOptions& options) {
      ++trials;
      // It and one behind it are bad; the answer is the first.
      const auto fast = [&](int i) {
        return options.Of(graph.nodes[static_cast<size_t>(i)]) == Precision::kFp16;
      };
      return absl::StatusOr<bool>(fast(culprit) || fast(std::min(culprit + 5, kNodes - 1)));
    };
    const auto found = FindOffender(Chain(kNodes), {}, is_bad);
    ASSERT_TRUE(found.ok() && found->has_value());
    Graph named = Chain(kNodes);
    PrecisionOptions options;
    NameNodes(named, options);
    EXPECT_EQ(**found, Describe(named.nodes[static_cast<size_t>(culprit)]));
    EXPECT_LE(trials, 2 + 6);
  }
}

TEST(OffenderTest, ThereIsNoneWhenNothingIsBadOrEverythingIs) {
  for (const bool bad : {false, true}) {
    const auto found = FindOffender(Chain(5), {}, [&](const Graph&, const PrecisionOptions&) {
      return absl::StatusOr<bool>(bad);
    });
    ASSERT_TRUE(found.ok());
    EXPECT_FALSE(found->has_value());
  }
}

TEST(OffenderTest, AFailedTrialIsAnError) {
  const auto found = FindOffender(Chain(5), {}, [&](const Graph&, const PrecisionOptions&) {
    return absl::StatusOr<bool>(absl::UnavailableError("no CUDA device"));
  });
  EXPECT_TRUE(absl::IsUnavailable(found.status()));
}

}  // namespace
}  // namespace nereid::engine
