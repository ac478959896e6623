#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "wire/kserve_protobuf_reader.h"

namespace nereid {

// Bytes that `value` takes as a varint.
constexpr size_t VarintSize(uint64_t value) {
  size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

// Appends fields in the protobuf wire format to a string that the caller owns.
class ProtobufWriter {
 public:
  explicit ProtobufWriter(std::string* out) : out_(*out) {}

  void Varint(uint64_t value) {
    char bytes[10];
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) bytes[size++] = static_cast<char>(value | 0x80);
    bytes[size++] = static_cast<char>(value);
    out_.append(bytes, size);
  }
  void Key(uint32_t number, ProtobufType type) { Varint(ProtobufKey(number, type)); }
  // What stands in front of a value of `size` bytes.
  void BytesHead(uint32_t number, size_t size) {
    Key(number, ProtobufType::kBytes);
    Varint(size);
  }
  void Bytes(uint32_t number, std::string_view value) {
    BytesHead(number, value.size());
    out_.append(value);
  }
  // proto3 leaves out empty strings.
  void String(uint32_t number, std::string_view value) {
    if (!value.empty()) Bytes(number, value);
  }
  void VarintField(uint32_t number, uint64_t value) {
    Key(number, ProtobufType::kVarint);
    Varint(value);
  }
  void DoubleField(uint32_t number, double value) {
    Key(number, ProtobufType::kFixed64);
    char bytes[sizeof(value)];
    std::memcpy(bytes, &value, sizeof(value));
    out_.append(bytes, sizeof(bytes));
  }

 private:
  std::string& out_;
};

// Bytes of a kBytes field with a number below 16: key, length and value.
constexpr size_t BytesFieldSize(size_t size) { return 1 + VarintSize(size) + size; }

}  // namespace nereid
