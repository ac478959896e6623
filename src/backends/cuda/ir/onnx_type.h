#pragma once

#include <cstdint>
#include <string_view>

#include "nereid/data_type.h"

namespace nereid::engine {

// The element types of ONNX (TensorProto.DataType), as in the attribute `to` of Cast.

// kInvalid for the types the engine does not have (4 and 8 bit floats, 4 bit integers, complex).
DataType FromOnnxType(int64_t onnx_type);
int64_t ToOnnxType(DataType type);
// "FLOAT", "INT4", …; "type 77" is "<unknown>".
std::string_view OnnxTypeName(int64_t onnx_type);
// The number of that name; 0 when there is none. (Cast named its target before opset 6.)
int64_t OnnxTypeFromName(std::string_view name);

bool IsFloating(DataType type);

}  // namespace nereid::engine
