#pragma once

#include <cstdlib>
#include <memory>
#include <string_view>

#include "config/config_parser.h"
#include "nereid/model_config.h"
#include "proto/model_config.pb.h"

namespace nereid::testing {

// ConfigFromText() for programs without a test framework: ends the process when `text` is none.
inline std::shared_ptr<const ModelConfig> ParsedConfig(std::string_view text) {
  const auto proto = ParseConfigText(text, "config");
  if (!proto.ok()) std::abort();
  ModelConfig::Options options;
  options.read_labels = false;
  auto config = ModelConfig::Create(*proto, options);
  if (!config.ok()) std::abort();
  return *config;
}

}  // namespace nereid::testing
