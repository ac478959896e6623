#include "wire/json_tensor_writer.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid {
namespace {

// Room for any number.
constexpr size_t kMaxNumberLength = 32;

// Digits and decimal exponent (of the first digit) of a positive number, in the shortest form.
struct Decimal {
  char digits[kMaxNumberLength];
  int length = 0;
  int exponent = 0;
};

Decimal ToDecimal(double value) {
  char text[kMaxNumberLength];
  const char* end =
      std::to_chars(text, text + sizeof(text), value, std::chars_format::scientific).ptr;
  Decimal decimal;
  const char* position = text;
  for (; *position != 'e'; ++position) {
    if (*position != '.') decimal.digits[decimal.length++] = *position;
  }
  ++position;
  if (*position == '+') ++position;
  std::from_chars(position, end, decimal.exponent);
  return decimal;
}

char* Copy(char* out, const char* from, int length) {
  std::memcpy(out, from, static_cast<size_t>(length));
  return out + length;
}

char* Zeros(char* out, int count) {
  std::memset(out, '0', static_cast<size_t>(count));
  return out + count;
}

char* WriteExponent(char* out, int exponent) {
  *out++ = 'e';
  return std::to_chars(out, out + 5, exponent).ptr;
}

// Plain digits between 1e-6 and 1e21, an exponent elsewhere.
char* WriteDecimal(char* out, const Decimal& decimal) {
  const int point = decimal.exponent + 1;  // digits in front of the point
  if (point > 21 || point <= -6) {
    *out++ = decimal.digits[0];
    if (decimal.length > 1) {
      *out++ = '.';
      out = Copy(out, decimal.digits + 1, decimal.length - 1);
    }
    return WriteExponent(out, decimal.exponent);
  }
  if (point >= decimal.length) {
    out = Copy(out, decimal.digits, decimal.length);
    out = Zeros(out, point - decimal.length);
    return Copy(out, ".0", 2);
  }
  if (point > 0) {
    out = Copy(out, decimal.digits, point);
    *out++ = '.';
    return Copy(out, decimal.digits + point, decimal.length - point);
  }
  out = Copy(out, "0.", 2);
  out = Zeros(out, -point);
  return Copy(out, decimal.digits, decimal.length);
}

char* WriteDouble(char* out, double value) {
  if (std::isnan(value)) return Copy(out, "NaN", 3);
  if (std::signbit(value)) *out++ = '-';
  value = std::fabs(value);
  if (std::isinf(value)) return Copy(out, "Infinity", 8);
  if (value == 0) return Copy(out, "0.0", 3);
  // Small whole numbers are what most such tensors hold.
  if (value < 1e15 && value == std::trunc(value)) {
    out = std::to_chars(out, out + kMaxNumberLength, static_cast<int64_t>(value)).ptr;
    return Copy(out, ".0", 2);
  }
  return WriteDecimal(out, ToDecimal(value));
}

template <typename T>
char* WriteElement(char* out, T value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? Copy(out, "true", 4) : Copy(out, "false", 5);
  } else if constexpr (std::is_floating_point_v<T>) {
    return WriteDouble(out, static_cast<double>(value));
  } else {
    return std::to_chars(out, out + kMaxNumberLength, value).ptr;
  }
}

// Elements are gathered in a small block, so that the string is not grown for each of them.
template <typename T>
void AppendElements(const std::byte* data, size_t count, std::string* out) {
  using Stored = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;
  char block[4096];
  char* position = block;
  for (size_t i = 0; i < count; ++i) {
    Stored stored;
    std::memcpy(&stored, data + i * sizeof(Stored), sizeof(Stored));
    if (i > 0) *position++ = ',';
    position = WriteElement<T>(position, static_cast<T>(stored));
    if (position > block + sizeof(block) - kMaxNumberLength - 1) {
      out->append(block, position);
      position = block;
    }
  }
  out->append(block, position);
}

absl::Status ShapeMismatch(const OutputTensor& output, std::string_view prefix) {
  return absl::InternalError(StrCat(
      prefix, "output tensor shape does not match size of output for '", output.spec->name, "'"));
}

constexpr std::string_view kFailedToWrite = "Failed to write 'data' field: ";

absl::Status AppendStrings(const OutputTensor& output, int64_t count, const std::byte* data,
                           std::string* out) {
  const auto* position = reinterpret_cast<const char*>(data);
  size_t left = output.data.byte_size();
  for (int64_t i = 0; i < count; ++i) {
    uint32_t length = 0;
    if (left < sizeof(length)) return ShapeMismatch(output, "");
    std::memcpy(&length, position, sizeof(length));
    position += sizeof(length);
    left -= sizeof(length);
    if (left < length) return ShapeMismatch(output, "");
    if (i > 0) *out += ',';
    AppendJsonBytes(std::string_view(position, length), out);
    position += length;
    left -= length;
  }
  return left == 0 ? absl::OkStatus() : ShapeMismatch(output, kFailedToWrite);
}

absl::Status AppendNumbers(const OutputTensor& output, size_t count, const std::byte* data,
                           std::string* out) {
  if (output.data.byte_size() != count * ElementByteSize(output.data_type)) {
    return ShapeMismatch(output, kFailedToWrite);
  }
  switch (output.data_type) {
    case DataType::kBool:
      AppendElements<bool>(data, count, out);
      break;
    case DataType::kUint8:
      AppendElements<uint8_t>(data, count, out);
      break;
    case DataType::kUint16:
      AppendElements<uint16_t>(data, count, out);
      break;
    case DataType::kUint32:
      AppendElements<uint32_t>(data, count, out);
      break;
    case DataType::kUint64:
      AppendElements<uint64_t>(data, count, out);
      break;
    case DataType::kInt8:
      AppendElements<int8_t>(data, count, out);
      break;
    case DataType::kInt16:
      AppendElements<int16_t>(data, count, out);
      break;
    case DataType::kInt32:
      AppendElements<int32_t>(data, count, out);
      break;
    case DataType::kInt64:
      AppendElements<int64_t>(data, count, out);
      break;
    case DataType::kFp32:
      AppendElements<float>(data, count, out);
      break;
    case DataType::kFp64:
      AppendElements<double>(data, count, out);
      break;
    default:
      return absl::InvalidArgumentError(
          StrCat("sending ", ProtocolName(output.data_type),
                 " data via JSON is not supported. Please use the binary data format for output"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status AppendJsonTensor(const OutputTensor& output, std::string* out) {
  NEREID_ASSIGN_OR_RETURN(const int64_t count, ElementCount(output.shape));
  if (!output.data.place().HostAccessible()) {
    return absl::InternalError(
        StrCat("output '", output.spec->name, "' is not in memory that can be read"));
  }
  std::vector<std::byte> joined;
  const std::byte* data = output.data.data();
  if (!output.data.contiguous()) {
    joined.resize(output.data.byte_size());
    output.data.CopyTo(joined.data());
    data = joined.data();
  }
  *out += '[';
  if (output.data_type == DataType::kBytes) {
    NEREID_RETURN_IF_ERROR(AppendStrings(output, count, data, out));
  } else {
    NEREID_RETURN_IF_ERROR(AppendNumbers(output, static_cast<size_t>(count), data, out));
  }
  *out += ']';
  return absl::OkStatus();
}

void AppendJsonDouble(double value, std::string* out) {
  char text[kMaxNumberLength];
  out->append(text, WriteDouble(text, value));
}

void AppendJsonBytes(std::string_view text, std::string* out) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  static constexpr std::string_view kShort = "btn\0fr";  // of 8 to 13
  *out += '"';
  size_t plain = 0;  // start of the run that needs no escape
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<uint8_t>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out->append(text, plain, i - plain);
    plain = i + 1;
    *out += '\\';
    if (c >= 0x20) {
      *out += static_cast<char>(c);
    } else if (c >= 8 && c <= 13 && c != 11) {
      *out += kShort[c - 8];
    } else {
      StrAppend(out, "u00", kHex[c >> 4], kHex[c & 15]);
    }
  }
  out->append(text, plain, text.size() - plain);
  *out += '"';
}

}  // namespace nereid
