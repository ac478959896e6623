#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "infer/model_statistics.h"
#include "nereid/memory_estimate.h"
#include "nereid/model_config.h"

namespace nereid {

// The metadata of a model: what clients need to know to call it.
std::string ModelMetadataJson(const ModelConfig& config, const std::vector<int64_t>& versions);

// Appends one element of "model_stats".
void AppendModelStatistics(std::string_view name, int64_t version,
                           const ModelStatistics::Snapshot& statistics,
                           const MemoryEstimate& memory_usage, std::string* out);

}  // namespace nereid
