#include "wire/kserve_protobuf_reader.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/container/inlined_vector.h"

namespace nereid {
namespace {

constexpr size_t kMaxKeyBytes = 5;
constexpr size_t kMaxVarintBytes = 10;
// Lengths above this are refused by protobuf, which leaves itself 16 bytes below 2^31.
constexpr uint64_t kMaxLength = std::numeric_limits<int32_t>::max() - 16;
constexpr size_t kMaxGroupDepth = 100;

ProtobufType TypeOf(uint32_t key) { return static_cast<ProtobufType>(key & 7); }

}  // namespace

ProtobufReader::ProtobufReader(absl::Span<const Payload::Segment> segments,
                               StitchedStrings* stitched)
    : following_(segments), stitched_(stitched) {
  for (const Payload::Segment& segment : segments) rest_ += segment.size();
  NextSegment();
}

ProtobufReader::ProtobufReader(std::string_view message)
    : cursor_(reinterpret_cast<const uint8_t*>(message.data())), end_(cursor_ + message.size()) {}

bool ProtobufReader::NextSegment() {
  while (!following_.empty()) {
    const Payload::Segment segment = following_.front();
    following_.remove_prefix(1);
    if (segment.empty()) continue;
    cursor_ = reinterpret_cast<const uint8_t*>(segment.data());
    end_ = cursor_ + segment.size();
    rest_ -= segment.size();
    return true;
  }
  return false;
}

bool ProtobufReader::ReadByte(uint8_t* byte) {
  if (cursor_ == end_ && !NextSegment()) return false;
  *byte = *cursor_++;
  return true;
}

bool ProtobufReader::ReadKey(uint32_t* key) {
  uint32_t value = 0;
  for (size_t i = 0; i < kMaxKeyBytes; ++i) {
    uint8_t byte;
    if (!ReadByte(&byte)) return false;
    value |= static_cast<uint32_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      *key = value;
      return (value >> 3) != 0;
    }
  }
  return false;
}

bool ProtobufReader::ReadLongVarint(uint64_t* value) {
  uint64_t result = 0;
  for (size_t i = 0; i < kMaxVarintBytes; ++i) {
    uint8_t byte;
    if (!ReadByte(&byte)) return false;
    result |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      *value = result;
      return true;
    }
  }
  return false;
}

bool ProtobufReader::ReadRaw(void* value, size_t size) {
  if (remaining() < size) return false;
  auto* out = static_cast<uint8_t*>(value);
  while (size > 0) {
    if (cursor_ == end_) NextSegment();
    const size_t piece = std::min(size, static_cast<size_t>(end_ - cursor_));
    std::memcpy(out, cursor_, piece);
    cursor_ += piece;
    out += piece;
    size -= piece;
  }
  return true;
}

bool ProtobufReader::ReadSize(size_t* size) {
  uint64_t value = 0;
  for (size_t i = 0; i < kMaxKeyBytes; ++i) {
    uint8_t byte;
    if (!ReadByte(&byte)) return false;
    value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      *size = value;
      return value <= kMaxLength && value <= remaining();
    }
  }
  return false;
}

bool ProtobufReader::ReadBytes(std::string_view* bytes) {
  size_t size;
  if (!ReadSize(&size)) return false;
  if (size == 0) {
    *bytes = {};
    return true;
  }
  if (cursor_ == end_) NextSegment();
  if (size <= static_cast<size_t>(end_ - cursor_)) {
    *bytes = {reinterpret_cast<const char*>(cursor_), size};
    cursor_ += size;
    return true;
  }
  char* joined = stitched_->Add(size);
  *bytes = {joined, size};
  return ReadRaw(joined, size);
}

bool ProtobufReader::ReadSegments(Payload::Segments* segments) {
  size_t size;
  if (!ReadSize(&size)) return false;
  while (size > 0) {
    if (cursor_ == end_) NextSegment();
    const size_t piece = std::min(size, static_cast<size_t>(end_ - cursor_));
    segments->emplace_back(reinterpret_cast<const std::byte*>(cursor_), piece);
    cursor_ += piece;
    size -= piece;
  }
  return true;
}

bool ProtobufReader::SkipBytes(size_t size) {
  if (remaining() < size) return false;
  while (size > 0) {
    if (cursor_ == end_) NextSegment();
    const size_t piece = std::min(size, static_cast<size_t>(end_ - cursor_));
    cursor_ += piece;
    size -= piece;
  }
  return true;
}

bool ProtobufReader::Skip(uint32_t key) {
  switch (TypeOf(key)) {
    case ProtobufType::kVarint: {
      uint64_t ignored;
      return ReadVarint(&ignored);
    }
    case ProtobufType::kFixed64:
      return SkipBytes(8);
    case ProtobufType::kFixed32:
      return SkipBytes(4);
    case ProtobufType::kBytes: {
      size_t size;
      return ReadSize(&size) && SkipBytes(size);
    }
    case ProtobufType::kGroupStart:
      return SkipGroup(key);
    case ProtobufType::kGroupEnd:
      break;
  }
  return false;
}

// Groups nest: a stack of our own instead of the thread's, which a hostile message could exhaust.
bool ProtobufReader::SkipGroup(uint32_t key) {
  absl::InlinedVector<uint32_t, 8> open = {key >> 3};
  while (!open.empty()) {
    uint32_t inner;
    if (!ReadKey(&inner)) return false;
    if (TypeOf(inner) == ProtobufType::kGroupStart) {
      if (open.size() == kMaxGroupDepth) return false;
      open.push_back(inner >> 3);
    } else if (TypeOf(inner) == ProtobufType::kGroupEnd) {
      if (open.back() != inner >> 3) return false;
      open.pop_back();
    } else if (!Skip(inner)) {
      return false;
    }
  }
  return true;
}

}  // namespace nereid
