#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

// Writes ONNX messages, field by field, for tests of the reader.
namespace nereid::engine::onnx {

inline std::string Varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  return out + static_cast<char>(value);
}

inline std::string Int(uint32_t field, int64_t value) {
  return Varint(uint64_t{field} << 3) + Varint(static_cast<uint64_t>(value));
}

inline std::string Bytes(uint32_t field, std::string_view bytes) {
  return Varint((uint64_t{field} << 3) | 2) + Varint(bytes.size()) + std::string(bytes);
}

inline std::string Float(uint32_t field, float value) {
  std::string out = Varint((uint64_t{field} << 3) | 5);
  out.append(reinterpret_cast<const char*>(&value), 4);
  return out;
}

template <typename T>
std::string Raw(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

inline std::string PackedInts(uint32_t field, const std::vector<int64_t>& values) {
  std::string packed;
  for (const int64_t value : values) packed += Varint(static_cast<uint64_t>(value));
  return Bytes(field, packed);
}

// TensorProto; `data` are the fields with its content.
inline std::string Tensor(std::string_view name, int64_t type, const std::vector<int64_t>& dims,
                          std::string_view data) {
  return PackedInts(1, dims) + Int(2, type) + Bytes(8, name) + std::string(data);
}
inline std::string RawData(std::string_view bytes) { return Bytes(9, bytes); }

inline std::string Int64Tensor(std::string_view name, const std::vector<int64_t>& values) {
  return Tensor(name, 7, {static_cast<int64_t>(values.size())}, RawData(Raw(values)));
}
inline std::string FloatTensor(std::string_view name, const std::vector<int64_t>& dims,
                               const std::vector<float>& values) {
  return Tensor(name, 1, dims, RawData(Raw(values)));
}

inline std::string External(std::string_view location, std::string_view offset,
                            std::string_view length) {
  const auto entry = [](std::string_view key, std::string_view value) {
    return value.empty() ? std::string() : Bytes(13, Bytes(1, key) + Bytes(2, value));
  };
  return entry("location", location) + entry("offset", offset) + entry("length", length) +
         Int(14, 1);
}

inline std::string Attribute(std::string_view name, int64_t value) {
  return Bytes(5, Bytes(1, name) + Int(3, value) + Int(20, 2));
}
inline std::string Attribute(std::string_view name, float value) {
  return Bytes(5, Bytes(1, name) + Float(2, value) + Int(20, 1));
}
inline std::string Attribute(std::string_view name, std::string_view value) {
  return Bytes(5, Bytes(1, name) + Bytes(4, value) + Int(20, 3));
}
inline std::string Attribute(std::string_view name, const char* value) {
  return Attribute(name, std::string_view(value));
}
inline std::string Attribute(std::string_view name, const std::vector<int64_t>& values) {
  return Bytes(5, Bytes(1, name) + PackedInts(8, values) + Int(20, 7));
}
inline std::string FloatsAttribute(std::string_view name, const std::vector<float>& values) {
  return Bytes(5, Bytes(1, name) + Bytes(7, Raw(values)) + Int(20, 6));
}
inline std::string TensorAttribute(std::string_view name, std::string_view tensor) {
  return Bytes(5, Bytes(1, name) + Bytes(5, tensor) + Int(20, 4));
}
inline std::string GraphAttribute(std::string_view name, std::string_view graph) {
  return Bytes(5, Bytes(1, name) + Bytes(6, graph) + Int(20, 5));
}
inline std::string Reference(std::string_view name, std::string_view of, int64_t type) {
  return Bytes(5, Bytes(1, name) + Bytes(21, of) + Int(20, type));
}

// NodeProto
inline std::string Node(std::string_view op, const std::vector<std::string>& inputs,
                        const std::vector<std::string>& outputs, std::string_view attributes = "",
                        std::string_view domain = "", std::string_view name = "") {
  std::string out;
  for (const std::string& input : inputs) out += Bytes(1, input);
  for (const std::string& output : outputs) out += Bytes(2, output);
  return out + Bytes(3, name) + Bytes(4, op) + Bytes(7, domain) + std::string(attributes);
}

// ValueInfoProto; -1: an extent named N
inline std::string Info(std::string_view name, int64_t type, const std::vector<int64_t>& dims) {
  std::string shape;
  for (const int64_t dim : dims) shape += Bytes(1, dim < 0 ? Bytes(2, "N") : Int(1, dim));
  return Bytes(1, name) + Bytes(2, Bytes(1, Int(1, type) + Bytes(2, shape)));
}

// Fields of GraphProto
inline std::string WithNode(std::string_view node) { return Bytes(1, node); }
inline std::string WithConstant(std::string_view tensor) { return Bytes(5, tensor); }
inline std::string WithInput(std::string_view info) { return Bytes(11, info); }
inline std::string WithOutput(std::string_view info) { return Bytes(12, info); }
inline std::string WithInfo(std::string_view info) { return Bytes(13, info); }

inline std::string Opset(int64_t version, std::string_view domain = "") {
  return Bytes(8, Bytes(1, domain) + Int(2, version));
}

// ModelProto
inline std::string Model(std::string_view graph, int64_t opset, std::string_view more = "") {
  return Int(1, 8) + Bytes(2, "test") + Bytes(7, graph) + Opset(opset) + std::string(more);
}

}  // namespace nereid::engine::onnx
