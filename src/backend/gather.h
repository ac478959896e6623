#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "backend/scratch.h"
#include "nereid/batch.h"
#include "nereid/data_type.h"
#include "nereid/model_config.h"
#include "nereid/shape.h"

namespace nereid {

// One tensor of a whole batch, in one host block that somebody else keeps alive.
struct BatchTensor {
  DataType data_type = DataType::kInvalid;
  Shape shape;  // as the model sees it
  const std::byte* data = nullptr;
  size_t byte_size = 0;
};

// How the same input of several requests becomes one tensor.
enum class GatherMode : uint8_t {
  kStack,   // along the batch dimension, which becomes the sum of the requests'
  kConcat,  // end to end into one dimension: ragged inputs
  kFirst,   // the first request's stands for all: models that do not batch, shape tensors
};

// What an instance knows about one input before any batch.
struct GatherRule {
  std::string name;
  GatherMode mode = GatherMode::kStack;
  size_t alignment = 1;  // the block's address is a multiple of this

  // For an input of `config` (which may be nullptr for tensors that the scheduler adds), aligned to
  // its elements.
  static GatherRule For(const ModelConfig& config, const std::string& name, DataType type);
};

// The input in one block, in request order. Nothing is copied when the bytes already lie in one
// aligned piece, as they do when one request that arrived whole fills the batch; otherwise they are
// copied once into `scratch`. The block is valid while the requests live and `scratch` is not used
// again. No value: no request has this input. INTERNAL when the requests do not fit together;
// UNIMPLEMENTED for bytes the host cannot read.
absl::StatusOr<std::optional<BatchTensor>> GatherInput(const Batch& batch, const GatherRule& rule,
                                                       Scratch& scratch);

}  // namespace nereid
