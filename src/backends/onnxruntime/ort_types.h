#pragma once

#include <onnxruntime_cxx_api.h>

#include <string_view>

#include "nereid/data_type.h"

namespace nereid::ort {

// kInvalid for element types that the protocol does not have.
DataType FromOrtType(ONNXTensorElementDataType type);

// ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED for kInvalid.
ONNXTensorElementDataType ToOrtType(DataType type);

// "ONNX_TYPE_SEQUENCE", …
std::string_view OnnxTypeName(ONNXType type);

}  // namespace nereid::ort
