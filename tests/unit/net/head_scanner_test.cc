#include "net/head_scanner.h"

#include <gtest/gtest.h>

#include <string>

namespace nereid {
namespace {

using Result = HeadScanner::Result;

TEST(HeadScannerTest, FindsTheSameEndHoweverTheBytesArrive) {
  const std::string head = "POST /a HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n";
  const std::string input = head + "body\r\n\r\n";
  for (size_t step = 1; step <= input.size(); ++step) {
    HeadScanner scanner;
    size_t have = 0;
    Result result = Result::kIncomplete;
    while (result == Result::kIncomplete && have < input.size()) {
      have = std::min(have + step, input.size());
      result = scanner.Scan(std::string_view(input).substr(0, have));
    }
    ASSERT_EQ(result, Result::kComplete) << step;
    EXPECT_EQ(scanner.begin(), 0u);
    EXPECT_EQ(scanner.end(), head.size());
  }
}

TEST(HeadScannerTest, SkipsEmptyLinesInFront) {
  HeadScanner scanner;
  const std::string input = "\r\n\r\nGET / HTTP/1.1\r\n\r\n";
  EXPECT_EQ(scanner.Scan(input), Result::kComplete);
  EXPECT_EQ(scanner.begin(), 4u);
  EXPECT_EQ(scanner.end(), input.size());
}

TEST(HeadScannerTest, WaitsForMore) {
  for (const char* input : {"", "\r", "\r\n", "G", "GET / HTTP/1.1", "GET / HTTP/1.1\r\nA: b\r",
                            "GET / HTTP/1.1\r\nA: b\r\n\r"}) {
    HeadScanner scanner;
    EXPECT_EQ(scanner.Scan(input), Result::kIncomplete) << input;
  }
}

TEST(HeadScannerTest, RefusesEarlyWhatNoHeadCanBe) {
  const std::string tls("\x16\x03\x01\x02", 4);
  const std::string empties = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
  for (const std::string& input :
       {tls, std::string("\n"), std::string("GET / HTTP/1.1\n"), std::string(" GET"),
        std::string("GET / HTTP/1.1\r\nA: b\n"), std::string("GET / HTTP/1.1\r\n folded\r\n"),
        std::string("GET / HTTP/1.1\r\nA: b\r\n\tfolded\r\n"), empties}) {
    HeadScanner scanner;
    EXPECT_EQ(scanner.Scan(input), Result::kMalformed) << input;
  }
}

}  // namespace
}  // namespace nereid
