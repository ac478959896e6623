#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nereid {

// Element type of a tensor. The numeric values are those of the model configuration's DataType.
enum class DataType : uint8_t {
  kInvalid = 0,
  kBool = 1,
  kUint8 = 2,
  kUint16 = 3,
  kUint32 = 4,
  kUint64 = 5,
  kInt8 = 6,
  kInt16 = 7,
  kInt32 = 8,
  kInt64 = 9,
  kFp16 = 10,
  kFp32 = 11,
  kFp64 = 12,
  kBytes = 13,  // variable length elements, each a 4-byte little-endian length and that many bytes
  kBf16 = 14,
};

// Bytes of one element; 0 for kBytes and kInvalid, whose elements have no fixed size.
size_t ElementByteSize(DataType type);

// "FP32", "BYTES", …: the name on the wire. "<invalid>" for kInvalid.
std::string_view ProtocolName(DataType type);

// "TYPE_FP32", "TYPE_STRING", …: the name in a model configuration.
std::string_view ConfigName(DataType type);

// The type with that name on the wire, or kInvalid.
DataType DataTypeFromProtocolName(std::string_view name);

}  // namespace nereid
