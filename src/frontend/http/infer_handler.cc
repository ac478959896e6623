#include "frontend/http/infer_handler.h"

#include <charconv>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "frontend/http/http_reply.h"
#include "frontend/http/http_sink.h"
#include "frontend/http/model_path.h"
#include "net/compression.h"
#include "net/http_exchange.h"
#include "server/inference_server.h"
#include "wire/header_forwarding.h"
#include "wire/kserve_json_request.h"

namespace nereid {
namespace {

static_assert(kBodyPadding >= kJsonPadding);

constexpr std::string_view kHeaderLength = "Inference-Header-Content-Length";

absl::StatusOr<ServableHandle> FindModel(const InferenceServer& server,
                                         const HttpRequest& request) {
  NEREID_ASSIGN_OR_RETURN(const ModelPath path, ModelPathOf(request));
  NEREID_ASSIGN_OR_RETURN(ServableHandle servable, server.Resolve(path.model, path.version));
  if (servable->config()->decoupled()) {
    return absl::UnimplementedError(
        "HTTP end point doesn't support models with decoupled transaction policy");
  }
  return servable;
}

absl::Status DecompressedTooLarge(uint64_t limit) {
  return absl::InvalidArgumentError(
      StrCat("Decompressed data size exceeds the maximum allowed value of ", limit,
             " bytes. Use --http-max-input-size to increase the limit."));
}

absl::StatusOr<HttpBody> DecompressBody(const HttpRequest& request, ContentEncoding encoding,
                                        uint64_t max_size) {
  if (encoding == ContentEncoding::kIdentity) return request.body;
  absl::StatusOr<HttpBody> body = Decompress(encoding, request.body, max_size);
  if (absl::IsResourceExhausted(body.status())) return DecompressedTooLarge(max_size);
  return body;
}

absl::StatusOr<JsonInferBody> Divide(const HttpRequest& request, const HttpBody& body) {
  const HttpHeader* length = request.Find(kHeaderLength);
  return DivideInferBody(body.owner, body.view(),
                         length == nullptr ? std::nullopt : std::optional(length->value));
}

absl::Status ForwardHeaders(const HeaderForwarding& forwarding, const HttpRequest& http,
                            Parameters& parameters) {
  if (!forwarding.enabled()) return absl::OkStatus();
  for (const HttpHeader& header : http.headers) {
    NEREID_RETURN_IF_ERROR(forwarding.Forward(header.name, header.value, parameters));
  }
  return absl::OkStatus();
}

void ReplyUnsupportedEncoding(HttpExchange exchange) {
  HttpResponse response =
      ErrorResponse(absl::UnimplementedError("Unsupported compression type"), kTextContentType);
  response.AddHeader("Accept-Encoding", "gzip, deflate");
  exchange.Reply(std::move(response));
}

// Makes the request and submits it. From here on every answer goes through the sink.
void Submit(const HttpEnvironment& environment, HttpExchange exchange, ServableHandle servable,
            const JsonInferBody& body, TimePoint received) {
  const HttpRequest& http = exchange.request();
  auto owned_sink = std::make_unique<HttpSink>(std::move(exchange), servable,
                                               PickEncoding(http.Header("Accept-Encoding")));
  HttpSink& sink = *owned_sink;
  HttpSink::RefusalScope scope(&sink);
  auto request = std::make_unique<InferRequest>(std::move(owned_sink));
  request->timeline.received = received;
  JsonInferLimits limits;
  limits.max_input_size = environment.max_input_size;
  SharedTensors shared(&environment.server->shared_memory(), servable->config().get());
  absl::Status status =
      DecodeInferBody(body, servable->config(), limits, *request, sink.format(), &shared);
  if (status.ok()) status = ForwardHeaders(*environment.forwarding, http, request->parameters);
  sink.set_shared(std::move(shared));
  if (!status.ok()) return request->Fail(std::move(status));
  sink.set_request_id(request->id);
  environment.server->Infer(std::move(servable), std::move(request));
}

enum class BodyForm { kJson, kRaw, kBinary, kCompressed };

BodyForm FormOf(const HttpRequest& head) {
  const std::string_view encoding = head.Header("Content-Encoding");
  if (!encoding.empty() && encoding != "identity") return BodyForm::kCompressed;
  const HttpHeader* length = head.Find(kHeaderLength);
  if (length == nullptr) return BodyForm::kJson;
  return length->value == "0" ? BodyForm::kRaw : BodyForm::kBinary;
}

}  // namespace

void HandleInfer(const HttpEnvironment& environment, HttpExchange exchange) {
  const TimePoint received = Clock::now();
  const HttpRequest& request = exchange.request();
  absl::StatusOr<ServableHandle> servable = FindModel(*environment.server, request);
  if (!servable.ok()) return ReplyError(std::move(exchange), servable.status());
  const auto encoding = ParseContentEncoding(request.Header("Content-Encoding"));
  if (!encoding) return ReplyUnsupportedEncoding(std::move(exchange));
  const auto body = DecompressBody(request, *encoding, environment.max_input_size);
  if (!body.ok()) return ReplyError(std::move(exchange), body.status());
  const auto divided = Divide(request, *body);
  if (!divided.ok()) return ReplyError(std::move(exchange), divided.status());
  Submit(environment, std::move(exchange), *std::move(servable), *divided, received);
}

uint64_t InferJsonLength(const HttpRequest& head) {
  const std::string_view text = head.Header(kHeaderLength);
  uint64_t length = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), length);
  return parsed.ec == std::errc() ? length : 0;
}

uint64_t MaxInferBodyBytes(const HttpEnvironment& environment, const HttpRequest& head) {
  const uint64_t limit = environment.max_input_size;
  switch (FormOf(head)) {
    case BodyForm::kBinary:
      return UINT64_MAX;
    // What does not compress grows a little.
    case BodyForm::kCompressed:
      return limit + limit / 128 + 1024;
    case BodyForm::kJson:
    case BodyForm::kRaw:
      break;
  }
  return limit;
}

HttpResponse InferBodyTooLarge(const HttpEnvironment& environment, const HttpRequest& head,
                               uint64_t size) {
  const uint64_t limit = environment.max_input_size;
  switch (FormOf(head)) {
    case BodyForm::kCompressed:
      return ErrorResponse(DecompressedTooLarge(limit), kTextContentType);
    case BodyForm::kRaw:
      return ErrorResponse(RawInputTooLarge(size, limit), kJsonContentType);
    case BodyForm::kJson:
    case BodyForm::kBinary:
      break;
  }
  return ErrorResponse(JsonTooLarge(size, limit), kJsonContentType);
}

}  // namespace nereid
