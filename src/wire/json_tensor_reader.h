#pragma once

// The elements of one tensor that is written in JSON. A template over the kind of value, see
// JsonValue for what it has to offer.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "memory/host_memory.h"
#include "nereid/buffer.h"
#include "nereid/data_type.h"
#include "nereid/shape.h"
#include "wire/json_value.h"
#include "wire/kserve_json_errors.h"

namespace nereid {

inline constexpr int kMaxJsonTensorDepth = 100;

// What is being read: the tensor as the request describes it, and the bounds it is held to.
struct JsonTensor {
  std::string_view name;
  DataType data_type = DataType::kInvalid;
  absl::Span<const int64_t> shape;
  size_t json_size = 0;   // bytes of the whole text: no tensor has more elements than that
  uint64_t max_size = 0;  // bytes
};

// Number of elements of `tensor`; 0 for an empty shape. Checks the type, the extents and the size.
absl::StatusOr<int64_t> CountJsonElements(const JsonTensor& tensor);

absl::Status JsonTensorTooLarge(const JsonTensor& tensor, uint64_t byte_size);

namespace json_tensor_internal {

inline constexpr std::string_view kTooDeep =
    "JSON nesting depth exceeds maximum allowed limit (100)";

absl::Status DataFault(std::string_view what);
absl::Status OutOfRange(const JsonTensor& tensor, const std::string& value);

// Reads one element of type T; on failure says why.
template <typename T, typename Value>
absl::Status ReadElement(const JsonTensor& tensor, const Value& value, T* element) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!value.GetBool(element)) return DataFault(kNotBoolean);
  } else if constexpr (std::is_floating_point_v<T>) {
    double number = 0;
    if (!value.GetDouble(&number)) return DataFault(kNotNumber);
    *element = static_cast<T>(number);
  } else {
    using Wide = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
    Wide number = 0;
    bool is_integer;
    if constexpr (std::is_signed_v<T>) {
      is_integer = value.GetInt(&number);
    } else {
      is_integer = value.GetUint(&number);
    }
    if (!is_integer) return DataFault(std::is_signed_v<T> ? kNotSigned : kNotUnsigned);
    if (number < std::numeric_limits<T>::min() || number > std::numeric_limits<T>::max()) {
      return OutOfRange(tensor, std::to_string(number));
    }
    *element = static_cast<T>(number);
  }
  return absl::OkStatus();
}

template <typename T, typename Value>
absl::StatusOr<Payload> ReadFixedSize(const JsonTensor& tensor, const Value& data, int64_t count) {
  // The size that was declared does not decide how much is reserved: the text does.
  const size_t room = std::min(static_cast<size_t>(count), tensor.json_size);
  NEREID_ASSIGN_OR_RETURN(Buffer buffer, AllocateHost(room * sizeof(T)));
  T* const elements = reinterpret_cast<T*>(buffer.data());
  size_t read = 0;
  absl::Status status;
  const ScalarVisit visit = data.VisitScalars(kMaxJsonTensorDepth, [&](const auto& value) {
    if (read == room) {
      status = DataFault("Shape does not match true shape of 'data' field");
      return false;
    }
    status = ReadElement(tensor, value, elements + read++);
    return status.ok();
  });
  if (visit == ScalarVisit::kTooDeep) {
    return absl::InvalidArgumentError(StrCat("Unable to parse 'data': ", kTooDeep));
  }
  NEREID_RETURN_IF_ERROR(status);
  if (read != static_cast<size_t>(count)) {
    return absl::InternalError("Failed to parse 'data' field: shape does not match true shape");
  }
  return Payload(buffer);
}

// Calls `visit(std::string_view)` for each string of `data`.
template <typename Value, typename Visitor>
absl::Status VisitStrings(const Value& data, Visitor visit) {
  std::string scratch;
  absl::Status status;
  const ScalarVisit outcome = data.VisitScalars(kMaxJsonTensorDepth, [&](const auto& value) {
    std::string_view text;
    if (!value.GetString(&scratch, &text)) {
      status = absl::InternalError(StrCat("Unable to parse JSON bytes array: ", kNotString));
      return false;
    }
    visit(text);
    return true;
  });
  if (outcome == ScalarVisit::kTooDeep) return absl::InvalidArgumentError(std::string(kTooDeep));
  return status;
}

// Sized by the strings themselves: whether their number fits the shape is for the model to check.
template <typename Value>
absl::StatusOr<Payload> ReadStrings(const JsonTensor& tensor, const Value& data) {
  size_t byte_size = 0;
  NEREID_RETURN_IF_ERROR(VisitStrings(
      data, [&](std::string_view text) { byte_size += sizeof(uint32_t) + text.size(); }));
  if (byte_size > tensor.max_size) return JsonTensorTooLarge(tensor, byte_size);
  NEREID_ASSIGN_OR_RETURN(Buffer buffer, AllocateHost(byte_size));
  std::byte* position = buffer.data();
  NEREID_RETURN_IF_ERROR(VisitStrings(data, [&](std::string_view text) {
    const auto length = static_cast<uint32_t>(text.size());
    std::memcpy(position, &length, sizeof(length));
    std::memcpy(position + sizeof(length), text.data(), text.size());
    position += sizeof(length) + text.size();
  }));
  return Payload(buffer);
}

}  // namespace json_tensor_internal

// The tensor's bytes in the binary layout.
template <typename Value>
absl::StatusOr<Payload> ReadJsonTensor(const JsonTensor& tensor, const Value& data) {
  using namespace json_tensor_internal;  // NOLINT(google-build-using-namespace): of this file
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountJsonElements(tensor));
  if (count == 0) return Payload();
  if (!data.IsArray()) return DataFault(kNotArray);
  switch (tensor.data_type) {
    case DataType::kBool:
      return ReadFixedSize<bool>(tensor, data, count);
    case DataType::kUint8:
      return ReadFixedSize<uint8_t>(tensor, data, count);
    case DataType::kUint16:
      return ReadFixedSize<uint16_t>(tensor, data, count);
    case DataType::kUint32:
      return ReadFixedSize<uint32_t>(tensor, data, count);
    case DataType::kUint64:
      return ReadFixedSize<uint64_t>(tensor, data, count);
    case DataType::kInt8:
      return ReadFixedSize<int8_t>(tensor, data, count);
    case DataType::kInt16:
      return ReadFixedSize<int16_t>(tensor, data, count);
    case DataType::kInt32:
      return ReadFixedSize<int32_t>(tensor, data, count);
    case DataType::kInt64:
      return ReadFixedSize<int64_t>(tensor, data, count);
    case DataType::kFp32:
      return ReadFixedSize<float>(tensor, data, count);
    case DataType::kFp64:
      return ReadFixedSize<double>(tensor, data, count);
    case DataType::kBytes:
      return ReadStrings(tensor, data);
    default:
      return absl::InternalError("a type that CountJsonElements() lets pass");
  }
}

}  // namespace nereid
