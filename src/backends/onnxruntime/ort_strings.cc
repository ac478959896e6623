#include "backends/onnxruntime/ort_strings.h"

#include <cstring>

#include "backend/bytes_tensor.h"
#include "common/status_macros.h"

namespace nereid::ort {

absl::StatusOr<Ort::Value> MakeStringTensor(const BatchTensor& tensor) {
  NEREID_ASSIGN_OR_RETURN(int64_t count, ElementCount(tensor.shape));
  Ort::AllocatorWithDefaultOptions allocator;
  Ort::Value value = Ort::Value::CreateTensor(allocator, tensor.shape.data(), tensor.shape.size(),
                                              ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING);
  BytesReader reader(tensor.data, tensor.byte_size);
  for (int64_t i = 0; i < count; ++i) {
    const std::optional<std::string_view> element = reader.Next();
    if (!element) return absl::InvalidArgumentError("a BYTES input has too few elements");
    // The element's own buffer: unlike a C string it may hold zeros.
    char* buffer =
        value.GetResizedStringTensorElementBuffer(static_cast<size_t>(i), element->size());
    if (!element->empty()) std::memcpy(buffer, element->data(), element->size());
  }
  if (!reader.AtEnd()) return absl::InvalidArgumentError("a BYTES input has too many elements");
  return value;
}

StringContent::StringContent(const Ort::Value& value)
    : content_(value.GetStringTensorDataLength(), '\0'),
      offsets_(value.GetTensorTypeAndShapeInfo().GetElementCount()) {
  if (offsets_.empty()) return;
  value.GetStringTensorContent(content_.data(), content_.size(), offsets_.data(), offsets_.size());
}

}  // namespace nereid::ort
