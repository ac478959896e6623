#include "net/http_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace nereid {
namespace {

HttpRequest Parsed(std::string_view head) {
  HttpRequest request;
  const auto error = ParseHead(head, &request);
  EXPECT_FALSE(error) << error->message;
  return request;
}

TEST(HttpParserTest, TakesAHeadApart) {
  const std::string head =
      "POST /v2/models/a%20b/infer?x=1&y HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\n"
      "content-TYPE:  application/json \r\nEmpty:\r\n\r\n";
  const HttpRequest request = Parsed(head);
  EXPECT_EQ(request.method, HttpMethod::kPost);
  EXPECT_EQ(request.method_text, "POST");
  EXPECT_EQ(request.target, "/v2/models/a%20b/infer?x=1&y");
  EXPECT_EQ(request.path, "/v2/models/a%20b/infer");
  EXPECT_EQ(request.query, "x=1&y");
  EXPECT_EQ(request.version_minor, 1);
  EXPECT_EQ(request.content_length, 12u);
  EXPECT_FALSE(request.chunked);
  EXPECT_TRUE(request.keep_alive);
  ASSERT_EQ(request.headers.size(), 4u);
  EXPECT_EQ(request.Header("Content-Type"), "application/json");
  EXPECT_NE(request.Find("EMPTY"), nullptr);
  EXPECT_EQ(request.Header("empty"), "");
  EXPECT_EQ(request.Find("absent"), nullptr);
}

TEST(HttpParserTest, KnowsMethods) {
  struct Case {
    const char* name;
    HttpMethod method;
  };
  for (const Case& c : {Case{"GET", HttpMethod::kGet}, Case{"PUT", HttpMethod::kPut},
                        Case{"DELETE", HttpMethod::kDelete}, Case{"HEAD", HttpMethod::kHead},
                        Case{"OPTIONS", HttpMethod::kOptions}, Case{"PATCH", HttpMethod::kPatch},
                        Case{"get", HttpMethod::kOther}, Case{"BREW", HttpMethod::kOther}}) {
    EXPECT_EQ(Parsed(std::string(c.name) + " / HTTP/1.1\r\n\r\n").method, c.method) << c.name;
  }
}

TEST(HttpParserTest, DecidesKeepAliveByVersionAndConnection) {
  struct Case {
    const char* head;
    bool keep_alive;
  };
  for (const Case& c : {Case{"GET / HTTP/1.1\r\n\r\n", true},
                        Case{"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false},
                        Case{"GET / HTTP/1.1\r\nConnection: TE, Close\r\n\r\n", false},
                        Case{"GET / HTTP/1.0\r\n\r\n", false},
                        Case{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true}}) {
    EXPECT_EQ(Parsed(c.head).keep_alive, c.keep_alive) << c.head;
  }
}

TEST(HttpParserTest, ReadsTargetForms) {
  EXPECT_EQ(Parsed("GET http://host:80/a/b?q HTTP/1.1\r\n\r\n").path, "/a/b");
  EXPECT_EQ(Parsed("GET http://host HTTP/1.1\r\n\r\n").path, "/");
  EXPECT_EQ(Parsed("GET /a?b?c HTTP/1.1\r\n\r\n").query, "b?c");
  EXPECT_EQ(Parsed("OPTIONS * HTTP/1.1\r\n\r\n").path, "*");
}

TEST(HttpParserTest, ReadsBodyFraming) {
  EXPECT_TRUE(Parsed("POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n").chunked);
  EXPECT_TRUE(Parsed("POST / HTTP/1.1\r\nExpect: 100-Continue\r\n\r\n").expect_continue);
  EXPECT_FALSE(Parsed("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expect_continue);
  EXPECT_EQ(
      Parsed("POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n").content_length,
      UINT64_MAX);
}

struct BadHead {
  const char* name;
  std::string head;
  int status;
};

class BadHeadTest : public ::testing::TestWithParam<BadHead> {};

TEST_P(BadHeadTest, IsRefused) {
  HttpRequest request;
  const auto error = ParseHead(GetParam().head, &request);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->status, GetParam().status) << error->message;
  EXPECT_FALSE(error->message.empty());
}

std::string WithHeader(const std::string& lines) {
  return "POST / HTTP/1.1\r\nHost: x\r\n" + lines + "\r\n\r\n";
}

INSTANTIATE_TEST_SUITE_P(
    Heads, BadHeadTest,
    ::testing::Values(
        BadHead{"NoVersion", "GET /\r\n\r\n", 400}, BadHead{"OneWord", "GET\r\n\r\n", 400},
        BadHead{"TwoBlanks", "GET  / HTTP/1.1\r\n\r\n", 400},
        BadHead{"NewerVersion", "GET / HTTP/2.0\r\n\r\n", 505},
        BadHead{"Http2Preface", "PRI * HTTP/2.0\r\n\r\n", 505},
        BadHead{"OldVersion", "GET / HTTP/0.9\r\n\r\n", 505},
        BadHead{"NoVersionDigits", "GET / HTTP/x.y\r\n\r\n", 505},
        BadHead{"RelativeTarget", "GET v2 HTTP/1.1\r\n\r\n", 400},
        BadHead{"AsteriskGet", "GET * HTTP/1.1\r\n\r\n", 400},
        BadHead{"ControlInTarget", "GET /\x01 HTTP/1.1\r\n\r\n", 400},
        BadHead{"NulInTarget", std::string("GET /\0 HTTP/1.1\r\n\r\n", 19), 400},
        BadHead{"NulInValue", WithHeader(std::string("A: b\0c", 6)), 400},
        BadHead{"CrInValue", WithHeader("A: b\rc"), 400},
        BadHead{"NoColon", WithHeader("Nonsense"), 400},
        BadHead{"BlankBeforeColon", WithHeader("Content-Length : 5"), 400},
        BadHead{"EmptyName", WithHeader(": x"), 400},
        BadHead{"BlankInName", WithHeader("A b: c"), 400},
        BadHead{"NegativeLength", WithHeader("Content-Length: -1"), 400},
        BadHead{"SignedLength", WithHeader("Content-Length: +5"), 400},
        BadHead{"HexLength", WithHeader("Content-Length: 0x10"), 400},
        BadHead{"EmptyLength", WithHeader("Content-Length:"), 400},
        BadHead{"TextLength", WithHeader("Content-Length: five"), 400},
        BadHead{"OverflowingLength", WithHeader("Content-Length: 18446744073709551616"), 400},
        BadHead{"LengthList", WithHeader("Content-Length: 5, 5"), 400},
        BadHead{"SameLengthTwice", WithHeader("Content-Length: 5\r\nContent-Length: 5"), 400},
        BadHead{"TwoLengths", WithHeader("Content-Length: 5\r\nContent-Length: 6"), 400},
        BadHead{"LengthAndChunked", WithHeader("Content-Length: 5\r\nTransfer-Encoding: chunked"),
                400},
        BadHead{"ChunkedAndLength", WithHeader("Transfer-Encoding: chunked\r\nContent-Length: 5"),
                400},
        BadHead{"ChunkedTwice",
                WithHeader("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 400},
        BadHead{"OtherCoding", WithHeader("Transfer-Encoding: gzip"), 501},
        BadHead{"CodingList", WithHeader("Transfer-Encoding: gzip, chunked"), 501},
        BadHead{"ChunkedNotLast", WithHeader("Transfer-Encoding: chunked, gzip"), 501},
        BadHead{"CodingInOldVersion", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        BadHead{"TwoHosts", WithHeader("Host: y"), 400},
        BadHead{"UnknownExpectation", WithHeader("Expect: miracles"), 417}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace nereid
