#pragma once

#include <string>
#include <vector>

#include "nereid/data_type.h"
#include "nereid/shape.h"

namespace nereid {

// A tensor as a model file declares it: batch dimension included, symbolic extents -1.
struct GraphTensor {
  std::string name;
  DataType data_type = DataType::kInvalid;
  Shape dims;
};

// The outside of a model file.
struct GraphDescription {
  std::vector<GraphTensor> inputs;
  std::vector<GraphTensor> outputs;
  // Inputs that have a value of their own and may be left out.
  std::vector<GraphTensor> overridable;
};

}  // namespace nereid
