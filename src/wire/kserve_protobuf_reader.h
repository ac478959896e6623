#pragma once

#include <cstddef>
#include <cstdint>
#include <forward_list>
#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "nereid/buffer.h"

namespace nereid {

// How the value of a field is written.
enum class ProtobufType : uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,  // a length, then that many bytes: strings, messages, packed numbers
  kGroupStart = 3,
  kGroupEnd = 4,
  kFixed32 = 5,
};

// Number and type of a field in one value, as they stand in front of it.
constexpr uint32_t ProtobufKey(uint32_t number, ProtobufType type) {
  return (number << 3) | static_cast<uint32_t>(type);
}

// Keeps the strings that had to be copied because a segment ended inside them.
class StitchedStrings {
 public:
  // Room for `size` bytes that stays where it is as long as this object lives.
  char* Add(size_t size) { return strings_.emplace_front(size, '\0').data(); }
  bool empty() const { return strings_.empty(); }

 private:
  std::forward_list<std::string> strings_;
};

// Walks the fields of one protobuf message that lies in any number of segments, without copying
// what need not be copied. Accepts and refuses what the protobuf library does. Every Read function
// returns false when the message is malformed; the reader is of no use afterwards.
class ProtobufReader {
 public:
  // The segments' bytes outlive the reader; `stitched` receives what has to be joined, and may be
  // nullptr when there is only one segment.
  ProtobufReader(absl::Span<const Payload::Segment> segments, StitchedStrings* stitched);
  explicit ProtobufReader(std::string_view message);

  // True at the end of the message.
  bool AtEnd() const { return cursor_ == end_ && rest_ == 0; }
  size_t remaining() const { return static_cast<size_t>(end_ - cursor_) + rest_; }

  bool ReadKey(uint32_t* key);
  bool ReadVarint(uint64_t* value) {
    if (cursor_ != end_ && *cursor_ < 0x80) {
      *value = *cursor_++;
      return true;
    }
    return ReadLongVarint(value);
  }
  bool ReadFixed32(uint32_t* value) { return ReadRaw(value, sizeof(*value)); }
  bool ReadFixed64(uint64_t* value) { return ReadRaw(value, sizeof(*value)); }
  // The value of a kBytes field in one piece, joined when it is not.
  bool ReadBytes(std::string_view* bytes);
  // The same in the pieces it arrived in.
  bool ReadSegments(Payload::Segments* segments);
  // Passes over the value of a field that was announced by `key`.
  bool Skip(uint32_t key);

 private:
  bool ReadLongVarint(uint64_t* value);
  bool ReadByte(uint8_t* byte);
  bool ReadRaw(void* value, size_t size);
  bool ReadSize(size_t* size);
  bool SkipBytes(size_t size);
  bool SkipGroup(uint32_t key);
  // Makes the next segment current. False when there is none.
  bool NextSegment();

  const uint8_t* cursor_ = nullptr;
  const uint8_t* end_ = nullptr;
  size_t rest_ = 0;  // bytes in `following_`
  absl::Span<const Payload::Segment> following_;
  StitchedStrings* stitched_ = nullptr;
};

// Calls `on_field(key)` for every field to the end of the message. The callback reads the value and
// returns true, or returns false when it is malformed; it passes what it does not know to Skip().
template <typename OnField>
bool ReadProtobufFields(ProtobufReader& reader, OnField&& on_field) {
  while (!reader.AtEnd()) {
    uint32_t key;
    if (!reader.ReadKey(&key) || !on_field(key)) return false;
  }
  return true;
}

}  // namespace nereid
