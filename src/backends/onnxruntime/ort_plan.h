#pragma once

#include <string>
#include <vector>

#include "backend/batch_inputs.h"
#include "backend/batch_responses.h"
#include "backend/gather.h"
#include "config/graph.h"
#include "nereid/model_config.h"

namespace nereid::ort {

// How one graph input is fed.
struct InputSlot {
  std::string name;
  DataType data_type = DataType::kInvalid;
  bool is_scalar = false;  // the graph wants rank 0, clients send one element
  int batch_input = -1;    // position in Plan::batch_inputs; -1: gathered from the requests
  GatherRule gather;
};

// How one configured output is handled.
struct OutputSlot {
  const TensorSpec* spec = nullptr;
  DataType data_type = DataType::kInvalid;
  // The shape, less the batch dimension, is known before running.
  bool has_known_shape = false;
  Shape known_shape;
};

// What the instances of a model do for each batch, worked out once. Points into the configuration.
struct Plan {
  bool model_batches = false;
  std::vector<InputSlot> inputs;
  std::vector<BatchInputRule> batch_inputs;
  std::vector<OutputSlot> outputs;
  ScatterRules scatter;
};

// `graph` agrees with `config`, see CheckGraphAgreement().
Plan MakePlan(const ModelConfig& config, const GraphDescription& graph);

}  // namespace nereid::ort
