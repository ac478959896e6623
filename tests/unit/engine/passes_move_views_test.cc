#include "backends/cuda/passes/algebra.h"
#include "backends/cuda/passes/move_views.h"
#include "backends/cuda/passes/simplify_views.h"
#include "gtest/gtest.h"
#include "unit/engine/onnx_fixture.h"
#include "unit/engine/passes_fixture.h"
#include "unit/engine/transformer_blocks.h"

namespace nereid::engine {
namespace {

using Run = absl::Status (*)(Graph&);

// The operators after the pass, which must leave a sound graph that computes the same.
std::string After(GraphMaker& maker, Run run) {
  const Graph before = maker.graph();
  EXPECT_TRUE(before.Verify().ok()) << before.Verify();
  Graph after = before;
  const absl::Status status = run(after);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(after.Verify().ok()) << after.Verify();
  ExpectSame(before, after);
  return Operators(after);
}

absl::Status AllShapePasses(Graph& graph) { return RunPasses(ShapePasses(), graph); }

TEST(MoveViewsTest, AttentionOfSequencesFirstKeepsNoCopies) {
  GraphMaker m;
  const ValueId x = m.Op("Tanh", {m.Input({2, 5, 12})});
  m.Output(m.Op("Relu", {m.Op("Add", {x, TorchAttention(m, x, 3)})}));
  // What is left of the views is what strides can say.
  EXPECT_EQ(After(m, AllShapePasses),
            "Tanh Transpose MatMul Add Reshape Transpose Gather Reshape Gather Reshape Gather "
            "Reshape Transpose Transpose Transpose nereid.FMHA Transpose Transpose Reshape MatMul "
            "Add Add Relu Transpose");
}

struct CommuteCase {
  const char* name;
  Shape x, seen, to;
  std::vector<int64_t> order;
  const char* expected;
};

class MoveAboveTransposeTest : public ::testing::TestWithParam<CommuteCase> {};

TEST_P(MoveAboveTransposeTest, WhereTheAxesAllow) {
  const CommuteCase& c = GetParam();
  GraphMaker m;
  const ValueId seen =
      m.Op("Reshape", {m.Op("Tanh", {m.Input(c.x)}), m.Ints({c.seen.begin(), c.seen.end()})});
  const ValueId y =
      m.Op("Reshape", {Transposed(m, seen, c.order), m.Ints({c.to.begin(), c.to.end()})});
  m.Output(m.Op("Relu", {y}));
  EXPECT_EQ(After(m, MoveViews), c.expected);
}

constexpr char kMoved[] = "Tanh Reshape Reshape Transpose Relu";
constexpr char kStayed[] = "Tanh Reshape Transpose Reshape Relu";

INSTANTIATE_TEST_SUITE_P(
    All, MoveAboveTransposeTest,
    ::testing::Values(
        CommuteCase{"Splits", {5, 2, 12}, {5, 6, 4}, {2, 3, 5, 4}, {1, 0, 2}, kMoved},
        CommuteCase{"Joins", {2, 12, 5}, {2, 3, 4, 5}, {5, 2, 12}, {3, 0, 1, 2}, kMoved},
        CommuteCase{"JoinsAndSplits", {24, 5}, {2, 12, 5}, {5, 6, 4}, {2, 0, 1}, kMoved},
        CommuteCase{"Ones", {12, 5}, {1, 12, 1, 5}, {5, 3, 1, 4}, {3, 0, 1, 2}, kMoved},
        CommuteCase{
            "JoinsWhatIsApart", {2, 12, 5}, {2, 3, 4, 5}, {2, 15, 4}, {0, 1, 3, 2}, kStayed},
        CommuteCase{"JoinsInOtherOrder", {12, 5}, {3, 4, 5}, {12, 5}, {1, 0, 2}, kStayed}),
    [](const auto& info) { return info.param.name; });

TEST(MoveViewsTest, AReshapeMovesAboveAProductAndItsBias) {
  GraphMaker m;
  const ValueId x = m.Input({2, 3, 4});
  const ValueId r = m.Input({2, 3, 8});
  ValueId y = m.Op("MatMul", {m.Op("Reshape", {x, m.Ints({6, 4})}), m.Weight({4, 8})});
  y = m.Op("Gelu", {m.Op("Add", {m.Weight({8}), y})});
  m.Output(m.Op("Add", {m.Op("Reshape", {y, m.Ints({2, 3, 8})}), r}), "y");
  EXPECT_EQ(After(m, SimplifyViews), "MatMul Add Gelu Add");
}

TEST(MoveViewsTest, AGemmBecomesAProductOfMoreAxes) {
  for (const int64_t transposed : {0, 1}) {
    GraphMaker m;
    const ValueId x = m.Input({2, 3, 4});
    const Shape weight = transposed != 0 ? Shape{8, 4} : Shape{4, 8};
    const ValueId y = m.Op("Gemm",
                           {m.Op("Reshape", {x, m.Ints({6, 4})}), m.Weight(weight),
                            m.Weight(transposed != 0 ? Shape{8} : Shape{1, 8})},
                           {{"transB", transposed}});
    m.Output(m.Op("Tanh", {m.Op("Reshape", {y, m.Ints({2, 3, 8})})}));
    EXPECT_EQ(After(m, SimplifyViews),
              transposed != 0 ? "Transpose MatMul Add Tanh" : "MatMul Add Tanh");
  }
}

TEST(MoveViewsTest, LeavesProductsThatAreReadTwiceScaledOrCutElsewhere) {
  GraphMaker m;
  const ValueId x = m.Op("Reshape", {m.Op("Tanh", {m.Input({2, 3, 4})}), m.Ints({6, 4})});
  const ValueId twice = m.Op("MatMul", {x, m.Weight({4, 8})});
  m.Output(m.Op("Relu", {m.Op("Reshape", {twice, m.Ints({2, 3, 8})})}));
  m.Output(m.Op("Relu", {twice}));
  const ValueId scaled = m.Op("Gemm", {x, m.Weight({4, 8})}, {{"alpha", 0.5f}});
  m.Output(m.Op("Relu", {m.Op("Reshape", {scaled, m.Ints({2, 3, 8})})}));
  const ValueId cut = m.Op("MatMul", {x, m.Weight({4, 8})});
  m.Output(m.Op("Relu", {m.Op("Reshape", {cut, m.Ints({6, 2, 4})})}));
  EXPECT_EQ(After(m, MoveViews),
            "Tanh Reshape MatMul Reshape Relu Relu Gemm Reshape Relu MatMul Reshape Relu");
}

TEST(MoveViewsTest, AResidualComesBeforeTheTransposeOfAProduct) {
  GraphMaker m;
  const ValueId x = m.Input({3, 2, 4});
  const ValueId r = m.Input({2, 3, 8});
  const ValueId y = m.Op("Add", {m.Op("MatMul", {x, m.Weight({4, 8})}), m.Weight({8})});
  m.Output(m.Op("Relu", {m.Op("Add", {r, Transposed(m, y, {1, 0, 2})})}));
  EXPECT_EQ(After(m, MoveViews), "MatMul Add Transpose Add Transpose Relu");
}

TEST(MoveViewsTest, AResidualStaysWhereRowsAreTornApartOrNoProductTakesIt) {
  GraphMaker m;
  const ValueId r = m.Input({2, 8, 3});
  const ValueId y = m.Op("MatMul", {m.Input({2, 3, 4}), m.Weight({4, 8})});
  m.Output(m.Op("Relu", {m.Op("Add", {Transposed(m, y, {0, 2, 1}), r})}));
  const ValueId gate = m.Op("Tanh", {m.Op("MatMul", {m.Input({3, 2, 4}), m.Weight({4, 8})})});
  m.Output(m.Op("Relu", {m.Op("Add", {Transposed(m, gate, {1, 0, 2}), m.Input({2, 3, 8})})}));
  EXPECT_EQ(After(m, MoveViews), "MatMul Transpose Add Relu MatMul Tanh Transpose Add Relu");
}

TEST(MoveViewsTest, ACastOfAnInputMeetsWhatReadsItsView) {
  GraphMaker m;
  const ValueId flags = m.Op("Cast", {m.Input({2, 3})}, {{"to", int64_t{1}}});
  m.Output(m.Op("Neg", {m.Op("Reshape", {flags, m.Ints({2, 1, 1, 3})})}));
  const ValueId twice = m.Op("Cast", {m.Input({2, 3})}, {{"to", int64_t{1}}});
  m.Output(m.Op("Neg", {m.Op("Reshape", {twice, m.Ints({6})})}));
  m.Output(m.Op("Neg", {twice}));
  EXPECT_EQ(After(m, MoveViews), "Reshape Cast Neg Cast Reshape Neg Neg");
}

TEST(MoveViewsTest, TwoTransposedProductsDoNotPassItOnForEver) {
  GraphMaker m;
  const auto product = [&] {
    return Transposed(m, m.Op("MatMul", {m.Input({3, 2, 4}), m.Weight({4, 8})}), {1, 0, 2});
  };
  const ValueId a = product(), b = m.Op("MatMul", {m.Input({2, 3, 4}), m.Weight({4, 8})});
  m.Output(m.Op("Relu", {m.Op("Add", {a, b})}));
  EXPECT_EQ(After(m, MoveViews), "MatMul Transpose MatMul Add Relu");
}

}  // namespace
}  // namespace nereid::engine
