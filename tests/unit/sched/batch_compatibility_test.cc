#include "sched/batch_compatibility.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "unit/sched/sched_test_util.h"

namespace nereid {
namespace {

using testing::AddInput;
using testing::ConfigFromText;
using testing::MakeRequest;

std::shared_ptr<const ModelConfig> Model(const std::string& inputs, int max_batch_size = 8) {
  return ConfigFromText(
      "name: \"m\" backend: \"identity\" max_batch_size: " + std::to_string(max_batch_size) +
      inputs + " output { name: \"Y\" data_type: TYPE_FP32 dims: [ 1 ] }");
}

using Inputs = std::vector<std::pair<std::string, Shape>>;

std::unique_ptr<InferRequest> Request(const ModelConfig& config, const Inputs& inputs) {
  auto request = MakeRequest().request;
  for (const auto& [name, shape] : inputs) AddInput(*request, *config.FindInput(name), shape);
  return request;
}

bool MayShare(const std::shared_ptr<const ModelConfig>& config, const Inputs& a, const Inputs& b) {
  const BatchCompatibility compatibility(*config);
  const auto request_a = Request(*config, a);
  const auto request_b = Request(*config, b);
  const bool may = compatibility.MayShare(*request_a, *request_b);
  EXPECT_EQ(compatibility.MayShare(*request_b, *request_a), may);
  return may;
}

TEST(BatchCompatibility, FixedShapesNeedNoComparison) {
  const auto config = Model(R"( input { name: "A" data_type: TYPE_FP32 dims: [ 4 ] })");
  EXPECT_TRUE(BatchCompatibility(*config).always());
  EXPECT_TRUE(MayShare(config, {{"A", {1, 4}}}, {{"A", {3, 4}}}));
}

TEST(BatchCompatibility, VariableExtentsMustAgreeApartFromTheBatch) {
  const auto config = Model(R"( input { name: "A" data_type: TYPE_FP32 dims: [ -1, 2 ] })");
  EXPECT_FALSE(BatchCompatibility(*config).always());
  EXPECT_TRUE(MayShare(config, {{"A", {1, 7, 2}}}, {{"A", {3, 7, 2}}}));
  EXPECT_FALSE(MayShare(config, {{"A", {1, 7, 2}}}, {{"A", {1, 8, 2}}}));
}

TEST(BatchCompatibility, EveryVariableInputCountsInWhateverOrder) {
  const auto config = Model(R"( input { name: "A" data_type: TYPE_FP32 dims: [ -1 ] }
                                input { name: "B" data_type: TYPE_FP32 dims: [ -1 ] })");
  EXPECT_TRUE(MayShare(config, {{"A", {1, 2}}, {"B", {1, 3}}}, {{"B", {1, 3}}, {"A", {1, 2}}}));
  EXPECT_FALSE(MayShare(config, {{"A", {1, 2}}, {"B", {1, 3}}}, {{"B", {1, 4}}, {"A", {1, 2}}}));
}

TEST(BatchCompatibility, RaggedInputsMayDiffer) {
  const auto config =
      Model(R"( input { name: "A" data_type: TYPE_FP32 dims: [ -1 ] allow_ragged_batch: true })");
  EXPECT_TRUE(BatchCompatibility(*config).always());
  EXPECT_TRUE(MayShare(config, {{"A", {1, 2}}}, {{"A", {1, 9}}}));
}

TEST(BatchCompatibility, WithOptionalInputsTheSetsMustBeTheSame) {
  const auto config = Model(R"( input { name: "A" data_type: TYPE_FP32 dims: [ 1 ] }
                input { name: "B" data_type: TYPE_FP32 dims: [ 1 ] optional: true }
                input { name: "C" data_type: TYPE_FP32 dims: [ -1 ] optional: true })");
  EXPECT_FALSE(BatchCompatibility(*config).always());
  EXPECT_TRUE(MayShare(config, {{"A", {1, 1}}}, {{"A", {1, 1}}}));
  EXPECT_TRUE(MayShare(config, {{"A", {1, 1}}, {"B", {1, 1}}}, {{"B", {1, 1}}, {"A", {1, 1}}}));
  EXPECT_FALSE(MayShare(config, {{"A", {1, 1}}}, {{"A", {1, 1}}, {"B", {1, 1}}}));
  EXPECT_FALSE(MayShare(config, {{"A", {1, 1}}, {"C", {1, 1}}}, {{"A", {1, 1}}, {"B", {1, 1}}}));
  EXPECT_FALSE(MayShare(config, {{"A", {1, 1}}, {"C", {1, 5}}}, {{"A", {1, 1}}, {"C", {1, 6}}}));
}

std::unique_ptr<InferRequest> ShapeRequest(const ModelConfig& config, Payload data) {
  auto request = Request(config, {{"S", {2}}});
  request->inputs[0].data = std::move(data);
  return request;
}

TEST(BatchCompatibility, ShapeTensorsMustHaveTheSameContents) {
  const auto config =
      Model(R"( input { name: "S" data_type: TYPE_INT32 dims: [ 2 ] is_shape_tensor: true })");
  const BatchCompatibility compatibility(*config);
  const std::vector<int32_t> small = {1, 2}, same = {1, 2}, large = {1, 3};
  const auto payload = [](const std::vector<int32_t>& values, MemoryPlace place = {}) {
    return Payload(nullptr, reinterpret_cast<const std::byte*>(values.data()), 8, place);
  };
  const auto first = ShapeRequest(*config, payload(small));
  EXPECT_TRUE(compatibility.MayShare(*first, *ShapeRequest(*config, payload(same))));
  EXPECT_FALSE(compatibility.MayShare(*first, *ShapeRequest(*config, payload(large))));

  const MemoryPlace gpu{MemoryKind::kGpu, 0};
  EXPECT_FALSE(compatibility.MayShare(*first, *ShapeRequest(*config, payload(same, gpu))));
  const auto* bytes = reinterpret_cast<const std::byte*>(same.data());
  Payload pieces(nullptr, Payload::Segments{{bytes, 4}, {bytes + 4, 4}});
  EXPECT_FALSE(compatibility.MayShare(*first, *ShapeRequest(*config, pieces)));
}

}  // namespace
}  // namespace nereid
