#pragma once

#include <optional>

#include "nereid/model_config.h"

namespace nereid {

// The first GPU that instances of the model are made on; nothing when all of them are elsewhere.
std::optional<int> FirstGpu(const ModelConfig& config);

}  // namespace nereid
