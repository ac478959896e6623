#include "infer/string_elements.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

namespace nereid {
namespace {

using Outcome = StringElementScan::Outcome;

std::string Element(std::string_view text) {
  std::string out;
  for (int shift = 0; shift < 32; shift += 8) {
    out += static_cast<char>((text.size() >> shift) & 0xff);
  }
  return out.append(text);
}

// `bytes` in segments of `segment_size`, with an empty one between any two.
Payload Segmented(const std::string& bytes, size_t segment_size) {
  auto owner = std::make_shared<std::string>(bytes);
  const auto* data = reinterpret_cast<const std::byte*>(owner->data());
  Payload::Segments segments;
  for (size_t at = 0; at < bytes.size(); at += segment_size) {
    segments.emplace_back(data + at, std::min(segment_size, bytes.size() - at));
    segments.emplace_back();
  }
  return Payload(std::move(owner), std::move(segments));
}

struct Case {
  std::string name;
  std::string bytes;
  int64_t limit;
  Outcome outcome;
  int64_t element_count;
  uint64_t declared_size;
  uint64_t available_size;
};

class StringElements : public ::testing::TestWithParam<Case> {};

// The result does not depend on where the message was cut.
TEST_P(StringElements, AreFoundHoweverTheDataIsCut) {
  const Case& c = GetParam();
  for (size_t segment_size = 1; segment_size <= c.bytes.size() + 1; ++segment_size) {
    SCOPED_TRACE(segment_size);
    const StringElementScan scan = ScanStringElements(Segmented(c.bytes, segment_size), c.limit);
    EXPECT_EQ(scan.outcome, c.outcome);
    EXPECT_EQ(scan.element_count, c.element_count);
    if (c.outcome == Outcome::kTruncatedLength || c.outcome == Outcome::kTruncatedElement) {
      EXPECT_EQ(scan.available_size, c.available_size);
    }
    if (c.outcome == Outcome::kTruncatedElement) {
      EXPECT_EQ(scan.declared_size, c.declared_size);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, StringElements,
    ::testing::Values(
        Case{"no_data", "", 3, Outcome::kComplete, 0, 0, 0},
        Case{"one", Element("abc"), 1, Outcome::kComplete, 1, 0, 0},
        Case{"empty_string", Element(""), 1, Outcome::kComplete, 1, 0, 0},
        Case{"three", Element("a") + Element("") + Element("xyz"), 3, Outcome::kComplete, 3, 0, 0},
        Case{"fewer_than_the_limit", Element("a"), 9, Outcome::kComplete, 1, 0, 0},
        Case{"one_too_many", Element("a") + Element("b"), 1, Outcome::kTooMany, 2, 0, 0},
        Case{"none_allowed", Element(""), 0, Outcome::kTooMany, 1, 0, 0},
        Case{"too_many_is_noticed_before_its_data", Element("a") + std::string("\xff\0\0\0", 4), 1,
             Outcome::kTooMany, 2, 0, 0},
        Case{"length_of_three_bytes", Element("a") + std::string(3, '\0'), 2,
             Outcome::kTruncatedLength, 1, 0, 3},
        Case{"element_cut", Element("abcd").substr(0, 6), 1, Outcome::kTruncatedElement, 1, 4, 2},
        Case{"largest_length", std::string("\xff\xff\xff\xff", 4) + "ab", 1,
             Outcome::kTruncatedElement, 1, 0xffffffffu, 2},
        Case{"length_without_data", std::string("\1\0\0\0", 4), 1, Outcome::kTruncatedElement, 1, 1,
             0}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace nereid
