#include <cmath>
#include <cstring>

#include "common/strings.h"
#include "gtest/gtest.h"
#include "unit/engine/reference_fixture.h"

namespace nereid::engine {
namespace {

struct ConvCase {
  int64_t channels, filters, group, height, width, kernel, stride, dilation, pad;
};

// The definition, one element after the other.
double ConvAt(const ConvCase& c, const HostTensor& x, const HostTensor& w, int64_t n, int64_t m,
              int64_t row, int64_t column) {
  const int64_t in_group = c.channels / c.group;
  double sum = 0;
  for (int64_t k = 0; k < in_group; ++k) {
    const int64_t channel = m / (c.filters / c.group) * in_group + k;
    for (int64_t i = 0; i < c.kernel; ++i) {
      for (int64_t j = 0; j < c.kernel; ++j) {
        const int64_t y = row * c.stride - c.pad + i * c.dilation;
        const int64_t z = column * c.stride - c.pad + j * c.dilation;
        if (y < 0 || y >= c.height || z < 0 || z >= c.width) continue;
        sum += x.AsDouble(((n * c.channels + channel) * c.height + y) * c.width + z) *
               w.AsDouble(((m * in_group + k) * c.kernel + i) * c.kernel + j);
      }
    }
  }
  return sum;
}

class ConvTest : public ::testing::TestWithParam<ConvCase> {};

TEST_P(ConvTest, IsTheDefinition) {
  const ConvCase& c = GetParam();
  const HostTensor x = Random({2, c.channels, c.height, c.width}, 3);
  const HostTensor w = Random({c.filters, c.channels / c.group, c.kernel, c.kernel}, 4);
  const HostTensor y = Result("Conv", {x, w},
                              {{"group", c.group},
                               {"strides", std::vector<int64_t>(2, c.stride)},
                               {"dilations", std::vector<int64_t>(2, c.dilation)},
                               {"pads", std::vector<int64_t>(4, c.pad)}});
  const auto extent = [&](int64_t in) {
    return (in + 2 * c.pad - (c.kernel - 1) * c.dilation - 1) / c.stride + 1;
  };
  ASSERT_EQ(y.shape(), (Shape{2, c.filters, extent(c.height), extent(c.width)}));
  int64_t i = 0;
  for (int64_t n = 0; n < 2; ++n) {
    for (int64_t m = 0; m < c.filters; ++m) {
      for (int64_t row = 0; row < extent(c.height); ++row) {
        for (int64_t column = 0; column < extent(c.width); ++column) {
          ASSERT_NEAR(y.AsDouble(i++), ConvAt(c, x, w, n, m, row, column), 1e-5);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, ConvTest,
    ::testing::Values(ConvCase{3, 4, 1, 7, 9, 3, 1, 1, 1}, ConvCase{3, 4, 1, 7, 9, 3, 2, 1, 0},
                      ConvCase{4, 6, 2, 8, 5, 3, 1, 2, 2}, ConvCase{6, 6, 6, 9, 9, 5, 2, 1, 2},
                      ConvCase{5, 7, 1, 4, 6, 1, 1, 1, 0}, ConvCase{5, 7, 1, 5, 5, 1, 2, 1, 0},
                      ConvCase{2, 2, 1, 3, 3, 1, 1, 1, 1}, ConvCase{2, 3, 1, 6, 6, 3, 3, 3, 4}));

TEST(ReferenceTest, ConvTransposeIsTheAdjointOfConv) {
  // <Conv(x), y> = <x, ConvTranspose(y)> for all x and y.
  const Attributes attributes = {{"strides", std::vector<int64_t>{2, 3}},
                                 {"pads", std::vector<int64_t>{1, 0, 1, 2}},
                                 {"group", int64_t{2}}};
  const HostTensor w = Random({6, 2, 3, 4}, 5);
  const HostTensor x = Random({1, 4, 9, 11}, 6);
  const HostTensor forward = Result("Conv", {x, w}, attributes);
  const HostTensor y = Random(forward.shape(), 7);
  const HostTensor back = Result("ConvTranspose", {y, w}, attributes);
  ASSERT_EQ(back.shape(), x.shape());
  double left = 0;
  double right = 0;
  for (int64_t i = 0; i < y.element_count(); ++i) left += forward.AsDouble(i) * y.AsDouble(i);
  for (int64_t i = 0; i < x.element_count(); ++i) right += x.AsDouble(i) * back.AsDouble(i);
  EXPECT_NEAR(left, right, 1e-4);
}

TEST(ReferenceTest, FusedConvIsConvThenSumThenRelu) {
  const HostTensor x = Random({1, 3, 6, 6}, 8);
  const HostTensor w = Random({4, 3, 3, 3}, 9);
  const HostTensor bias = Random({4}, 10);
  const HostTensor residual = Random({1, 4, 4, 4}, 11);
  const HostTensor expected =
      Result("Relu", {Result("Add", {Result("Conv", {x, w, bias}), residual})});
  ExpectNear(
      Result("nereid.FusedConv", {x, w, bias, residual}, {{"activation", std::string("Relu")}}),
      expected, 1e-6);
  EXPECT_FALSE(Evaluate("nereid.FusedConv", {x, w, bias, Random({4, 4}, 1)}).ok());
  EXPECT_FALSE(Evaluate("nereid.FusedConv", {x, w}, {{"activation", std::string("Sine")}}).ok());
}

TEST(ReferenceTest, FmhaIsMatMulSoftmaxMatMul) {
  const HostTensor q = Random({2, 3, 4, 8}, 12);
  const HostTensor k = Random({2, 3, 5, 8}, 13);
  const HostTensor v = Random({2, 3, 5, 6}, 14);
  const HostTensor mask = Random({2, 1, 1, 5}, 15);
  const HostTensor k_transposed =
      Result("Transpose", {k}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
  const HostTensor scores = Result(
      "Add", {Result("Mul", {Result("MatMul", {q, k_transposed}), Floats({}, {0.25f})}), mask});
  const HostTensor expected = Result("MatMul", {Result("Softmax", {scores}), v});
  ExpectNear(Result("nereid.FMHA", {q, k, v, mask}, {{"scale", 0.25f}}), expected, 1e-6);
  ExpectNear(Result("nereid.FMHA", {q, k_transposed, v, mask},
                    {{"scale", 0.25f}, {"k_transposed", int64_t{1}}}),
             expected, 1e-6);
  ExpectNear(Result("Attention", {q, k, v, mask}, {{"scale", 0.25f}}), expected, 1e-6);
}

TEST(ReferenceTest, HeadsOfKeysAreSharedOutEvenly) {
  const HostTensor q = Random({1, 4, 2, 8}, 16);
  const HostTensor k = Random({1, 2, 3, 8}, 17);
  const HostTensor v = Random({1, 2, 3, 8}, 18);
  const HostTensor which = Ints({4}, {0, 0, 1, 1});
  const Attributes along = {{"axis", int64_t{1}}};
  ExpectNear(Result("nereid.FMHA", {q, k, v}),
             Result("nereid.FMHA",
                    {q, Result("Gather", {k, which}, along), Result("Gather", {v, which}, along)}),
             1e-7);
}

TEST(ReferenceTest, LstmRunsBackwardsWithinEachSequence) {
  // Two sequences of 4 and 2 steps; reversed, each starts at its own end.
  const HostTensor x = Random({4, 2, 3}, 19);
  const HostTensor w = Random({1, 8, 3}, 20);
  const HostTensor r = Random({1, 8, 2}, 21);
  const HostTensor lengths = HostTensor::Of<int32_t>(DataType::kInt32, {2}, {4, 2});
  const Attributes attributes = {{"hidden_size", int64_t{2}},
                                 {"direction", std::string("reverse")}};
  const auto both = Evaluate("LSTM", {x, w, r, {}, lengths}, attributes, 3);
  ASSERT_TRUE(both.ok()) << both.status();
  const Operands slice = {Ints({2}, {0, 1}), Ints({2}, {2, 2}), Ints({2}, {0, 1})};
  const HostTensor second = Result("Slice", {x, slice[0], slice[1], slice[2]});
  const auto alone = Evaluate("LSTM", {second, w, r}, attributes, 3);
  ASSERT_TRUE(alone.ok()) << alone.status();
  for (int64_t h = 0; h < 2; ++h) {
    for (int64_t t = 0; t < 2; ++t) {
      EXPECT_EQ((*both)[0].AsDouble((t * 2 + 1) * 2 + h), (*alone)[0].AsDouble(t * 2 + h));
    }
    for (int64_t t = 2; t < 4; ++t) EXPECT_EQ((*both)[0].AsDouble((t * 2 + 1) * 2 + h), 0);
    EXPECT_EQ((*both)[1].AsDouble(2 + h), (*alone)[1].AsDouble(h));
    EXPECT_EQ((*both)[2].AsDouble(2 + h), (*alone)[2].AsDouble(h));
  }
}

TEST(ReferenceTest, ScatteredDuplicatesAddUp) {
  const HostTensor y = Result(
      "ScatterElements", {Floats({3}, {1, 2, 3}), Ints({3}, {1, 1, -1}), Floats({3}, {10, 20, 30})},
      {{"reduction", std::string("add")}});
  EXPECT_EQ(Values(y), (std::vector<double>{1, 32, 33}));
}

TEST(ReferenceTest, StringsMoveLikeNumbers) {
  HostTensor words(DataType::kBytes, {2, 2});
  words.mutable_strings() = {"a", "b", "c", "d"};
  const HostTensor moved = Result("Transpose", {words});
  EXPECT_EQ(moved.strings(), (std::vector<std::string>{"a", "c", "b", "d"}));
  const HostTensor picked = Result("Gather", {words, Ints({1}, {1})});
  EXPECT_EQ(picked.strings(), (std::vector<std::string>{"c", "d"}));
  EXPECT_EQ(Result("Equal", {words, words}).AsInt64Vector(), (std::vector<int64_t>{1, 1, 1, 1}));
}

TEST(ReferenceTest, AnUnalignedWeightIsReadAsItIs) {
  auto file = std::make_shared<std::vector<std::byte>>(64);
  const float values[] = {1, 2, 3};
  std::memcpy(file->data() + 1, values, sizeof(values));
  const HostTensor odd(DataType::kFp32, {3}, file, file->data() + 1);
  EXPECT_EQ(Values(Result("Add", {odd, odd})), (std::vector<double>{2, 4, 6}));
  EXPECT_EQ(Values(Result("Concat", {odd, odd}, {{"axis", int64_t{0}}})).size(), 6u);
}

}  // namespace
}  // namespace nereid::engine
