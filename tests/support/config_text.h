#pragma once

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "nereid/model_config.h"
#include "proto/model_config.pb.h"

namespace nereid::testing {

// The configuration that `text` says, as it stands: what a model serves with is normalised before.
inline std::shared_ptr<const ModelConfig> ConfigFromText(const std::string& text) {
  inference::ModelConfig proto;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &proto)) << text;
  ModelConfig::Options options;
  options.read_labels = false;
  auto config = ModelConfig::Create(proto, options);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *std::move(config) : nullptr;
}

}  // namespace nereid::testing
