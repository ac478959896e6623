#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backend/gather.h"
#include "backend/scratch.h"
#include "nereid/batch.h"
#include "nereid/model_config.h"

namespace nereid {

// What a tensor of `batch_input` tells the model about the requests in a batch. "Elements" are
// those of the request's whole tensor, batch dimension included. Numbered as in the configuration.
enum class BatchInputKind : uint8_t {
  kElementCount = 0,                     // [requests]
  kAccumulatedElementCount = 1,          // [requests]: running total
  kAccumulatedElementCountWithZero = 2,  // [requests + 1]: the same after a 0
  kMaxElementCountAsShape = 3,           // [most elements of any request]: zeros
  kItemShape = 4,                        // [total batch, rank - 1]: each item's shape
  kItemShapeFlatten = 5,                 // [total batch * (rank - 1)]: the same in a row
};

// One entry of `batch_input`: the tensor is computed once and fed under every target name.
struct BatchInputRule {
  BatchInputKind kind = BatchInputKind::kElementCount;
  std::vector<std::string> targets;
  DataType data_type = DataType::kInt32;  // kInt32 or kFp32
  std::string source;                     // an input of the model
};

std::vector<BatchInputRule> BatchInputRules(const ModelConfig& config);

// The tensor for this batch, in `scratch`. INVALID_ARGUMENT when a number does not fit its type.
absl::StatusOr<BatchTensor> ComputeBatchInput(const Batch& batch, const BatchInputRule& rule,
                                              Scratch& scratch);

}  // namespace nereid
