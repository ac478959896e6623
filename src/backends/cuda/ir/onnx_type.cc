#include "backends/cuda/ir/onnx_type.h"

#include <array>
#include <cstddef>

namespace nereid::engine {
namespace {

struct Row {
  std::string_view name;
  DataType type;
};

// Indexed by ONNX's number.
constexpr std::array<Row, 24> kTypes = {{
    {"UNDEFINED", DataType::kInvalid},
    {"FLOAT", DataType::kFp32},
    {"UINT8", DataType::kUint8},
    {"INT8", DataType::kInt8},
    {"UINT16", DataType::kUint16},
    {"INT16", DataType::kInt16},
    {"INT32", DataType::kInt32},
    {"INT64", DataType::kInt64},
    {"STRING", DataType::kBytes},
    {"BOOL", DataType::kBool},
    {"FLOAT16", DataType::kFp16},
    {"DOUBLE", DataType::kFp64},
    {"UINT32", DataType::kUint32},
    {"UINT64", DataType::kUint64},
    {"COMPLEX64", DataType::kInvalid},
    {"COMPLEX128", DataType::kInvalid},
    {"BFLOAT16", DataType::kBf16},
    {"FLOAT8E4M3FN", DataType::kInvalid},
    {"FLOAT8E4M3FNUZ", DataType::kInvalid},
    {"FLOAT8E5M2", DataType::kInvalid},
    {"FLOAT8E5M2FNUZ", DataType::kInvalid},
    {"UINT4", DataType::kInvalid},
    {"INT4", DataType::kInvalid},
    {"FLOAT4E2M1", DataType::kInvalid},
}};

bool InTable(int64_t onnx_type) {
  return onnx_type >= 0 && onnx_type < static_cast<int64_t>(kTypes.size());
}

}  // namespace

DataType FromOnnxType(int64_t onnx_type) {
  return InTable(onnx_type) ? kTypes[static_cast<size_t>(onnx_type)].type : DataType::kInvalid;
}

int64_t ToOnnxType(DataType type) {
  for (size_t i = 1; i < kTypes.size(); ++i) {
    if (kTypes[i].type == type) return static_cast<int64_t>(i);
  }
  return 0;
}

std::string_view OnnxTypeName(int64_t onnx_type) {
  return InTable(onnx_type) ? kTypes[static_cast<size_t>(onnx_type)].name : "<unknown>";
}

int64_t OnnxTypeFromName(std::string_view name) {
  for (size_t i = 1; i < kTypes.size(); ++i) {
    if (kTypes[i].name == name) return static_cast<int64_t>(i);
  }
  return 0;
}

bool IsFloating(DataType type) {
  return type == DataType::kFp16 || type == DataType::kFp32 || type == DataType::kFp64 ||
         type == DataType::kBf16;
}

}  // namespace nereid::engine
