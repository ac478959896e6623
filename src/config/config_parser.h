#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace inference {
class ModelConfig;
}

namespace nereid {

// What a configuration may cost at most, whoever wrote it.
struct ParseLimits {
  size_t max_bytes = 16u << 20;
  int max_depth = 64;  // messages inside messages
};

// Parses protobuf text format. Unknown fields, singular fields given twice and strings that are not
// UTF-8 are errors. INTERNAL "failed to read text proto from <path>: <path>:<line>:<column>:
// <why>", lines and columns counted from 1. An empty text is a valid, all-default configuration.
absl::StatusOr<inference::ModelConfig> ParseConfigText(std::string_view text, std::string_view path,
                                                       const ParseLimits& limits = {});

// The same for a file. INTERNAL "failed to open text file for read <path>: <why>".
absl::StatusOr<inference::ModelConfig> ReadConfigFile(const std::string& path,
                                                      const ParseLimits& limits = {});

// Parses the JSON form that a load request may carry: field names in snake_case or lowerCamelCase,
// 64-bit integers as numbers or strings, enum names in any case, unknown fields are errors.
// INVALID_ARGUMENT "Invalid config override: <why>".
absl::StatusOr<inference::ModelConfig> ParseConfigJson(std::string_view json,
                                                       const ParseLimits& limits = {});

// The configuration file of the model in `model_path`: `configs/<config_name>.pbtxt` when
// `config_name` is not empty and that file exists, else `config.pbtxt`; empty when there is
// neither.
std::string FindConfigFile(const std::string& model_path, const std::string& config_name);

}  // namespace nereid
