#include "backends/cuda/onnx/wire_reader.h"

#include <bit>
#include <cstring>

namespace nereid::engine {
namespace {

constexpr int kMaxVarintBytes = 10;

template <typename T>
T Load(std::string_view bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

}  // namespace

float WireField::AsFloat() const { return std::bit_cast<float>(static_cast<uint32_t>(scalar)); }

bool WireReader::Fail() {
  ok_ = false;
  rest_ = {};
  return false;
}

bool WireReader::ReadVarint(uint64_t& value) {
  value = 0;
  for (size_t i = 0; i < kMaxVarintBytes && i < rest_.size(); ++i) {
    const auto byte = static_cast<uint8_t>(rest_[i]);
    value |= uint64_t{byte & 0x7fu} << (7 * i);
    if ((byte & 0x80) == 0) {
      rest_.remove_prefix(i + 1);
      return true;
    }
  }
  return Fail();
}

bool WireReader::Next(WireField& field) {
  if (rest_.empty()) return false;
  uint64_t tag = 0;
  if (!ReadVarint(tag)) return false;
  if ((tag >> 3) == 0 || (tag >> 3) > UINT32_MAX) return Fail();
  field = WireField{.number = static_cast<uint32_t>(tag >> 3), .bytes = {}};
  size_t size = 0;
  switch (tag & 7) {
    case 0:
      field.kind = WireField::Kind::kVarint;
      return ReadVarint(field.scalar);
    case 1:
      field.kind = WireField::Kind::kFixed64;
      size = 8;
      break;
    case 2: {
      field.kind = WireField::Kind::kBytes;
      uint64_t length = 0;
      if (!ReadVarint(length)) return false;
      if (length > rest_.size()) return Fail();
      size = static_cast<size_t>(length);
      break;
    }
    case 5:
      field.kind = WireField::Kind::kFixed32;
      size = 4;
      break;
    default:  // groups: ONNX has none
      return Fail();
  }
  if (rest_.size() < size) return Fail();
  if (field.kind == WireField::Kind::kFixed64) field.scalar = Load<uint64_t>(rest_);
  if (field.kind == WireField::Kind::kFixed32) field.scalar = Load<uint32_t>(rest_);
  if (field.kind == WireField::Kind::kBytes) field.bytes = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return true;
}

bool AppendVarints(const WireField& field, std::vector<int64_t>& out) {
  if (field.kind == WireField::Kind::kVarint) {
    out.push_back(field.AsInt64());
    return true;
  }
  if (field.kind != WireField::Kind::kBytes) return false;
  const auto* at = reinterpret_cast<const uint8_t*>(field.bytes.data());
  const auto* const end = at + field.bytes.size();
  while (at != end) {
    uint64_t value = 0;
    int i = 0;
    for (;; ++i) {
      if (at == end || i == kMaxVarintBytes) return false;
      value |= uint64_t{*at & 0x7fu} << (7 * i);
      if ((*at++ & 0x80) == 0) break;
    }
    out.push_back(static_cast<int64_t>(value));
  }
  return true;
}

bool AppendFloats(const WireField& field, std::vector<float>& out) {
  if (field.kind == WireField::Kind::kFixed32) {
    out.push_back(field.AsFloat());
    return true;
  }
  if (field.kind != WireField::Kind::kBytes || field.bytes.size() % sizeof(float) != 0) {
    return false;
  }
  const size_t count = field.bytes.size() / sizeof(float);
  const size_t old = out.size();
  out.resize(old + count);
  if (count != 0) std::memcpy(out.data() + old, field.bytes.data(), field.bytes.size());
  return true;
}

}  // namespace nereid::engine
