#include "net/http_parser.h"

#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <limits>

#include "common/strings.h"
#include "net/text.h"

namespace nereid {
namespace {

namespace http = boost::beast::http;

std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

HttpMethod ToMethod(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return HttpMethod::kGet;
    case http::verb::post:
      return HttpMethod::kPost;
    case http::verb::put:
      return HttpMethod::kPut;
    case http::verb::delete_:
      return HttpMethod::kDelete;
    case http::verb::head:
      return HttpMethod::kHead;
    case http::verb::options:
      return HttpMethod::kOptions;
    case http::verb::patch:
      return HttpMethod::kPatch;
    default:
      return HttpMethod::kOther;
  }
}

class HeadParser final : public http::basic_parser<true> {
 public:
  HeadParser(std::string_view head, HttpRequest* request) : request_(request) {
    eager(false);
    // Limits are ours: the head is complete, and the body is not parsed here. (boost::none would
    // refuse every Content-Length in Boost 1.74.)
    header_limit(std::numeric_limits<uint32_t>::max());
    body_limit(std::numeric_limits<uint64_t>::max());
    boost::beast::error_code ec;
    const size_t used = put({head.data(), head.size()}, ec);
    if (!error_ && (ec || used != head.size())) SetSyntaxError(ec);
  }

  std::optional<HttpError> TakeError() { return std::move(error_); }

 private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;

  void SetSyntaxError(error_code ec) {
    if (ec == http::error::bad_version) {
      error_ = HttpError{505, "HTTP version not supported"};
    } else {
      error_ = HttpError{400, StrCat("malformed request head: ", ec.message())};
    }
  }

  void Refuse(int status, std::string_view message, error_code& ec) {
    error_ = HttpError{status, std::string(message)};
    ec = http::error::bad_field;
  }

  void on_request_impl(http::verb verb, string_view method, string_view target, int version,
                       error_code& ec) override {
    request_->method = ToMethod(verb);
    request_->method_text = View(method);
    request_->version_minor = version == 11 ? 1 : 0;
    SetTarget(View(target), ec);
  }

  // The absolute form ("http://host/path") is taken as its path.
  void SetTarget(std::string_view target, error_code& ec) {
    request_->target = target;
    if (StartsWithIgnoreCase(target, "http://") || StartsWithIgnoreCase(target, "https://")) {
      const size_t slash = target.find('/', target.find("//") + 2);
      target = slash == std::string_view::npos ? "/" : target.substr(slash);
    }
    const bool asterisk = target == "*" && request_->method == HttpMethod::kOptions;
    if (target.empty() || (target[0] != '/' && !asterisk)) {
      return Refuse(400, "malformed request target", ec);
    }
    target = target.substr(0, target.find('#'));
    const size_t question = target.find('?');
    request_->path = target.substr(0, question);
    if (question != std::string_view::npos) request_->query = target.substr(question + 1);
  }

  void on_field_impl(http::field field, string_view name, string_view value,
                     error_code& ec) override {
    request_->headers.push_back({View(name), View(value)});
    switch (field) {
      case http::field::content_length:
        if (content_lengths_++ > 0) Refuse(400, "more than one Content-Length", ec);
        if (View(value).find(',') != std::string_view::npos) {
          Refuse(400, "more than one Content-Length", ec);
        }
        break;
      case http::field::transfer_encoding:
        OnTransferEncoding(View(value), ec);
        break;
      case http::field::host:
        if (hosts_++ > 0) Refuse(400, "more than one Host", ec);
        break;
      case http::field::expect:
        OnExpect(View(value), ec);
        break;
      default:
        break;
    }
  }

  void OnTransferEncoding(std::string_view value, error_code& ec) {
    if (request_->chunked) return Refuse(400, "more than one Transfer-Encoding", ec);
    if (request_->version_minor == 0) {
      return Refuse(400, "Transfer-Encoding in an HTTP/1.0 request", ec);
    }
    if (!EqualsIgnoreCase(value, "chunked")) {
      return Refuse(501, "unsupported Transfer-Encoding, only 'chunked' is supported", ec);
    }
    request_->chunked = true;
  }

  void OnExpect(std::string_view value, error_code& ec) {
    if (!EqualsIgnoreCase(value, "100-continue")) {
      return Refuse(417, "unsupported expectation, only '100-continue' is supported", ec);
    }
    request_->expect_continue = request_->version_minor == 1;
  }

  void on_header_impl(error_code&) override {
    request_->keep_alive = keep_alive();
    if (content_lengths_ > 0) request_->content_length = *content_length();
  }

  // Only the head is parsed; the rest is never called for it.
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_body_init_impl(const boost::optional<uint64_t>&, error_code&) override {}
  size_t on_body_impl(string_view, error_code&) override { return 0; }
  void on_chunk_header_impl(uint64_t, string_view, error_code&) override {}
  size_t on_chunk_body_impl(uint64_t, string_view, error_code&) override { return 0; }
  void on_finish_impl(error_code&) override {}

  HttpRequest* const request_;
  std::optional<HttpError> error_;
  int content_lengths_ = 0;
  int hosts_ = 0;
};

}  // namespace

std::optional<HttpError> ParseHead(std::string_view head, HttpRequest* request) {
  return HeadParser(head, request).TakeError();
}

}  // namespace nereid
