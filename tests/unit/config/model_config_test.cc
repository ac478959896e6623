#include "nereid/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config_json.h"
#include "config_test_util.h"

namespace nereid {
namespace {

using ::testing::ElementsAre;
using testing::Parse;
using testing::TemporaryFolder;

constexpr char kText[] = R"(
  name: "m" backend: "b" platform: "p" max_batch_size: 8 default_model_filename: "f"
  input [ { name: "a" data_type: TYPE_INT64 dims: [ -1, 3 ] allow_ragged_batch: true },
          { name: "b" data_type: TYPE_STRING dims: 1 optional: true reshape {} },
          { name: "a" data_type: TYPE_FP32 dims: 2 } ]
  output { name: "o" data_type: TYPE_BF16 dims: [ 2, 3 ] reshape { shape: [ 6 ] } label_filename: "l.txt"
           is_non_linear_format_io: true is_shape_tensor: true }
  parameters { key: "k" value { string_value: "v" } }
  model_transaction_policy { decoupled: true })";

std::shared_ptr<const ModelConfig> Create(const ModelConfig::Options& options) {
  auto config = ModelConfig::Create(Parse(kText), options);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *config : nullptr;
}

TEST(ModelConfig, CarriesWhatTheTextSays) {
  const TemporaryFolder folder;
  folder.Write("l.txt", "zero\none\n");
  const auto config = Create({.model_path = folder.path()});
  ASSERT_NE(config, nullptr);
  EXPECT_EQ(config->name(), "m");
  EXPECT_EQ(config->backend(), "b");
  EXPECT_EQ(config->platform(), "p");
  EXPECT_EQ(config->default_model_filename(), "f");
  EXPECT_EQ(config->max_batch_size(), 8);
  EXPECT_TRUE(config->decoupled());
  EXPECT_EQ(config->parameters().at("k"), "v");
  EXPECT_EQ(config->json(), ConfigToJson(Parse(kText)));
  EXPECT_EQ(config->proto().SerializeAsString(), Parse(kText).SerializeAsString());
  EXPECT_EQ(config->required_input_count(), 2);
}

TEST(ModelConfig, DescribesTensors) {
  const auto config = Create({.model_path = "", .read_labels = false});
  ASSERT_NE(config, nullptr);
  const TensorSpec& a = config->inputs()[0];
  EXPECT_EQ(a.data_type, DataType::kInt64);
  EXPECT_THAT(a.dims, ElementsAre(-1, 3));
  EXPECT_THAT(a.backend_dims(), ElementsAre(-1, 3));
  EXPECT_TRUE(a.allow_ragged_batch);
  EXPECT_FALSE(a.optional);
  const TensorSpec& b = config->inputs()[1];
  EXPECT_EQ(b.data_type, DataType::kBytes);
  EXPECT_TRUE(b.optional);
  EXPECT_THAT(b.backend_dims(), ElementsAre());
  EXPECT_EQ(b.index, 1);
  const TensorSpec& o = config->outputs()[0];
  EXPECT_EQ(o.data_type, DataType::kBf16);
  EXPECT_THAT(o.backend_dims(), ElementsAre(6));
  EXPECT_TRUE(o.is_non_linear);
  EXPECT_TRUE(o.is_shape_tensor);
  EXPECT_THAT(o.labels, ElementsAre());
}

TEST(ModelConfig, FindsTheFirstTensorOfAName) {
  const auto config = Create({.model_path = "", .read_labels = false});
  ASSERT_NE(config, nullptr);
  EXPECT_EQ(config->FindInput("a"), &config->inputs()[0]);
  EXPECT_EQ(config->FindOutput("o"), &config->outputs()[0]);
  EXPECT_EQ(config->FindInput("o"), nullptr);
  EXPECT_EQ(config->FindOutput(""), nullptr);
}

TEST(ModelConfig, ReadsLabelsAndFailsWithoutThem) {
  const TemporaryFolder folder;
  EXPECT_EQ(ModelConfig::Create(Parse(kText), {.model_path = folder.path()}).status().code(),
            absl::StatusCode::kInternal);
  folder.Write("l.txt", "zero\none\n");
  EXPECT_THAT(Create({.model_path = folder.path()})->outputs()[0].labels,
              ElementsAre("zero", "one"));
}

TEST(ModelConfig, HasDataTypesNumberedLikeTheSchema) {
  EXPECT_EQ(static_cast<int>(DataType::kBf16), static_cast<int>(inference::TYPE_BF16));
  for (int i = inference::DataType_MIN; i <= inference::DataType_MAX; ++i) {
    if (i == inference::TYPE_INVALID) continue;
    EXPECT_EQ(ConfigName(static_cast<DataType>(i)),
              inference::DataType_Name(static_cast<inference::DataType>(i)));
  }
}

}  // namespace
}  // namespace nereid
