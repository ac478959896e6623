#include "infer/string_elements.h"

#include <cstddef>

namespace nereid {
namespace {

constexpr size_t kLengthSize = sizeof(uint32_t);

// Reads forward through segments. Callers never ask for more than is left.
class SegmentReader {
 public:
  explicit SegmentReader(const Payload& data)
      : segments_(data.segments()), left_(data.byte_size()) {
    if (!segments_.empty()) current_ = segments_[0];
  }

  size_t left() const { return left_; }

  uint32_t ReadLength() {
    uint32_t value = 0;
    for (size_t i = 0; i < kLengthSize; ++i) {
      if (current_.empty()) NextSegment();
      value |= std::to_integer<uint32_t>(current_[0]) << (8 * i);
      current_.remove_prefix(1);
    }
    left_ -= kLengthSize;
    return value;
  }

  void Skip(size_t count) {
    left_ -= count;
    while (count > current_.size()) {
      count -= current_.size();
      current_ = {};
      NextSegment();
    }
    current_.remove_prefix(count);
  }

 private:
  void NextSegment() {
    while (current_.empty()) current_ = segments_[++index_];
  }

  const Payload::Segments& segments_;
  size_t index_ = 0;
  Payload::Segment current_;
  size_t left_;
};

}  // namespace

StringElementScan ScanStringElements(const Payload& data, int64_t limit) {
  using Outcome = StringElementScan::Outcome;
  SegmentReader reader(data);
  StringElementScan scan;
  while (reader.left() > 0) {
    scan.available_size = reader.left();
    if (reader.left() < kLengthSize) {
      scan.outcome = Outcome::kTruncatedLength;
      return scan;
    }
    scan.declared_size = reader.ReadLength();
    scan.available_size = reader.left();
    if (++scan.element_count > limit) {
      scan.outcome = Outcome::kTooMany;
      return scan;
    }
    if (scan.declared_size > reader.left()) {
      scan.outcome = Outcome::kTruncatedElement;
      return scan;
    }
    reader.Skip(scan.declared_size);
  }
  return scan;
}

}  // namespace nereid
