#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"

namespace nereid {

enum class MemoryKind : uint8_t { kCpu, kPinned, kGpu };

// Where bytes live. `device` is the GPU ordinal for kGpu (and the device a kPinned block is meant
// for); 0 otherwise.
struct MemoryPlace {
  MemoryKind kind = MemoryKind::kCpu;
  int device = 0;

  bool HostAccessible() const { return kind != MemoryKind::kGpu; }
  friend bool operator==(const MemoryPlace&, const MemoryPlace&) = default;
};

// A writable, contiguous block that one holder fills. Cheap to move; a copy shares the bytes.
// The bytes live as long as any handle whose `owner` is shared with this one.
class Buffer {
 public:
  Buffer() = default;
  Buffer(std::shared_ptr<const void> owner, std::byte* data, size_t size, MemoryPlace place = {})
      : owner_(std::move(owner)), data_(data), size_(size), place_(place) {}

  std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  MemoryPlace place() const { return place_; }
  const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  std::shared_ptr<const void> owner_;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  MemoryPlace place_;
};

// The immutable bytes of one tensor: any number of segments in order, all in one place, kept alive
// by one owner. A tensor that arrived in several pieces of a network message stays in pieces;
// whoever needs one block asks contiguous() first and copies with CopyTo() otherwise.
class Payload {
 public:
  using Segment = absl::Span<const std::byte>;
  using Segments = absl::InlinedVector<Segment, 1>;

  Payload() = default;
  // One segment: the whole of `buffer`.
  Payload(
      const Buffer& buffer)  // NOLINT(google-explicit-constructor): a filled buffer is a payload
      : owner_(buffer.owner()), byte_size_(buffer.size()), place_(buffer.place()) {
    segments_.emplace_back(buffer.data(), buffer.size());
  }
  Payload(std::shared_ptr<const void> owner, const std::byte* data, size_t size,
          MemoryPlace place = {})
      : owner_(std::move(owner)), byte_size_(size), place_(place) {
    segments_.emplace_back(data, size);
  }
  Payload(std::shared_ptr<const void> owner, Segments segments, MemoryPlace place = {})
      : owner_(std::move(owner)), segments_(std::move(segments)), place_(place) {
    for (const Segment& segment : segments_) byte_size_ += segment.size();
  }

  size_t byte_size() const { return byte_size_; }
  MemoryPlace place() const { return place_; }
  const Segments& segments() const { return segments_; }
  const std::shared_ptr<const void>& owner() const { return owner_; }

  // True when the bytes can be read through data(): at most one segment.
  bool contiguous() const { return segments_.size() <= 1; }
  // First byte; only meaningful when contiguous(). nullptr when empty.
  const std::byte* data() const { return segments_.empty() ? nullptr : segments_[0].data(); }

  // Copies all bytes to `destination`, which has room for byte_size(). Host-accessible places only.
  void CopyTo(std::byte* destination) const;

 private:
  std::shared_ptr<const void> owner_;
  Segments segments_;
  size_t byte_size_ = 0;
  MemoryPlace place_;
};

}  // namespace nereid
