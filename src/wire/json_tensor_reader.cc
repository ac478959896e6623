#include "wire/json_tensor_reader.h"

namespace nereid {
namespace {

// What --http-max-input-size is called in the messages about it.
constexpr std::string_view kLimitAdvice =
    " bytes. Use --http-max-input-size to increase the limit.";

absl::Status InvalidShape(const JsonTensor& tensor, std::string_view why) {
  return absl::InvalidArgumentError(StrCat("invalid shape for input '", tensor.name, "': shape ",
                                           ShapeToString(tensor.shape), why));
}

}  // namespace

absl::StatusOr<int64_t> CountJsonElements(const JsonTensor& tensor) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  if (tensor.data_type == DataType::kInvalid) {
    return absl::InvalidArgumentError(StrCat("invalid datatype for input ", tensor.name));
  }
  if (tensor.data_type == DataType::kFp16 || tensor.data_type == DataType::kBf16) {
    return absl::InvalidArgumentError(
        StrCat("receiving ", ProtocolName(tensor.data_type),
               " data via JSON is not supported. Please use the binary data format for input ",
               tensor.name));
  }
  int64_t count = tensor.shape.empty() ? 0 : 1;
  bool overflows = false;
  bool is_empty = false;
  for (int64_t extent : tensor.shape) {
    if (extent < 0) return InvalidShape(tensor, " contains one or more invalid dimensions");
    is_empty |= extent == 0;
    overflows |= __builtin_mul_overflow(count, extent, &count);
  }
  if (is_empty) return 0;
  if (overflows) {
    return InvalidShape(tensor,
                        StrCat(" causes total element count to exceed maximum size of ", kMax));
  }
  const size_t element_size = ElementByteSize(tensor.data_type);
  if (element_size == 0) return count;  // BYTES: the size is that of the strings
  int64_t byte_size = 0;
  if (__builtin_mul_overflow(count, static_cast<int64_t>(element_size), &byte_size)) {
    return absl::InvalidArgumentError(StrCat(
        "byte size overflow for input '", tensor.name, "': element count (", count,
        ") * data type size (", element_size, ") exceeds maximum allowed size (", kMax, ")"));
  }
  if (static_cast<uint64_t>(byte_size) > tensor.max_size) {
    return JsonTensorTooLarge(tensor, static_cast<uint64_t>(byte_size));
  }
  return count;
}

absl::Status JsonTensorTooLarge(const JsonTensor& tensor, uint64_t byte_size) {
  return absl::InvalidArgumentError(
      StrCat("JSON input '", tensor.name, "' has a byte_size (", byte_size,
             " bytes) that exceeds the maximum allowed value of ", tensor.max_size, kLimitAdvice));
}

namespace json_tensor_internal {

absl::Status DataFault(std::string_view what) { return UnableToParse("data", what); }

absl::Status OutOfRange(const JsonTensor& tensor, const std::string& value) {
  return absl::InvalidArgumentError(
      StrCat("Unable to parse 'data': value ", value, " is out of range for datatype ",
             ProtocolName(tensor.data_type), " of input '", tensor.name, "'"));
}

}  // namespace json_tensor_internal
}  // namespace nereid
