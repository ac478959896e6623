#include "backends/onnxruntime/ort_types.h"

namespace nereid::ort {
namespace {

struct ElementRow {
  DataType type;
  ONNXTensorElementDataType ort_type;
};
constexpr ElementRow kElements[] = {
    {DataType::kBool, ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL},
    {DataType::kUint8, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8},
    {DataType::kUint16, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16},
    {DataType::kUint32, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32},
    {DataType::kUint64, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64},
    {DataType::kInt8, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8},
    {DataType::kInt16, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16},
    {DataType::kInt32, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32},
    {DataType::kInt64, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64},
    {DataType::kFp16, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16},
    {DataType::kFp32, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT},
    {DataType::kFp64, ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE},
    {DataType::kBytes, ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING},
    {DataType::kBf16, ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16},
};

struct OnnxTypeRow {
  ONNXType type;
  std::string_view name;
};
constexpr OnnxTypeRow kOnnxTypes[] = {
    {ONNX_TYPE_TENSOR, "ONNX_TYPE_TENSOR"},
    {ONNX_TYPE_SEQUENCE, "ONNX_TYPE_SEQUENCE"},
    {ONNX_TYPE_MAP, "ONNX_TYPE_MAP"},
    {ONNX_TYPE_OPAQUE, "ONNX_TYPE_OPAQUE"},
    {ONNX_TYPE_SPARSETENSOR, "ONNX_TYPE_SPARSETENSOR"},
    {ONNX_TYPE_OPTIONAL, "ONNX_TYPE_OPTIONAL"},
};

}  // namespace

DataType FromOrtType(ONNXTensorElementDataType type) {
  for (const ElementRow& row : kElements) {
    if (row.ort_type == type) return row.type;
  }
  return DataType::kInvalid;
}

ONNXTensorElementDataType ToOrtType(DataType type) {
  for (const ElementRow& row : kElements) {
    if (row.type == type) return row.ort_type;
  }
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

std::string_view OnnxTypeName(ONNXType type) {
  for (const OnnxTypeRow& row : kOnnxTypes) {
    if (row.type == type) return row.name;
  }
  return "ONNX_TYPE_UNKNOWN";
}

}  // namespace nereid::ort
