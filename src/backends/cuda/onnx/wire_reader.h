#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace nereid::engine {

// One field of a protobuf message: a number for the scalar wire types, bytes for the others.
struct WireField {
  enum class Kind : uint8_t { kVarint, kFixed64, kBytes, kFixed32 };

  uint32_t number = 0;
  Kind kind = Kind::kVarint;
  uint64_t scalar = 0;     // kVarint, kFixed64, kFixed32: its bits
  std::string_view bytes;  // kBytes: within the message

  int64_t AsInt64() const { return static_cast<int64_t>(scalar); }
  float AsFloat() const;
};

// Walks over the fields of a message where it lies; copies nothing. Not for concurrent use.
class WireReader {
 public:
  explicit WireReader(std::string_view message) : rest_(message) {}

  // False at the end of the message and where it is malformed: ok() tells which.
  bool Next(WireField& field);
  bool ok() const { return ok_; }

 private:
  bool ReadVarint(uint64_t& value);
  bool Fail();

  std::string_view rest_;
  bool ok_ = true;
};

// Appends the elements of a repeated field, packed or not. False when malformed, or when the field
// is of another kind.
bool AppendVarints(const WireField& field, std::vector<int64_t>& out);
bool AppendFloats(const WireField& field, std::vector<float>& out);

}  // namespace nereid::engine
