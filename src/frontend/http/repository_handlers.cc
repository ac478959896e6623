#include "frontend/http/repository_handlers.h"

#include <limits>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "common/json_text.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "frontend/http/base64.h"
#include "frontend/http/http_reply.h"
#include "frontend/http/json_members.h"
#include "net/http_exchange.h"
#include "server/inference_server.h"
#include "wire/json_value.h"
#include "wire/kserve_json_errors.h"

namespace nereid {
namespace {

constexpr std::string_view kFilePrefix = "file:";

// The body, which may be left out.
absl::StatusOr<std::optional<JsonValue>> ParseOptionalBody(const HttpRequest& request) {
  if (request.body.empty()) return std::nullopt;
  NEREID_ASSIGN_OR_RETURN(const JsonValue root, JsonValue::Parse(request.body.view()));
  return root;
}

absl::Status RefuseRepositoryName(const HttpRequest& request) {
  if (request.route.Get("repository").empty()) return absl::OkStatus();
  return absl::UnimplementedError("'repository_name' specification is not supported");
}

void AppendField(std::string_view key, const std::string& value, std::string* out) {
  if (value.empty()) return;
  StrAppend(out, ",\"", key, "\":");
  AppendJsonString(value, *out);
}

absl::Status ReadLoadParameter(std::string_view name, const JsonValue& value,
                               LoadOverrides& overrides) {
  const bool is_config = name == "config";
  if (!is_config && !name.starts_with(kFilePrefix)) {
    return absl::InternalError("unexpected error on creating Triton parameter");
  }
  std::string scratch;
  std::string_view text;
  if (!value.GetString(&scratch, &text)) return absl::InternalError(std::string(kNotString));
  if (text.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return absl::InvalidArgumentError(
        StrCat("'", name, "' exceeds the maximum allowed data size limit INT_MAX"));
  }
  if (is_config) {
    if (text.empty()) return EmptyConfigOverride();
    overrides.config_json = std::string(text);
  } else {
    overrides.files.emplace(name.substr(kFilePrefix.size()), DecodeBase64(text));
  }
  return absl::OkStatus();
}

absl::StatusOr<LoadOverrides> ReadLoadRequest(const HttpRequest& request) {
  NEREID_RETURN_IF_ERROR(RefuseRepositoryName(request));
  NEREID_ASSIGN_OR_RETURN(const std::optional<JsonValue> root, ParseOptionalBody(request));
  LoadOverrides overrides;
  const std::optional<JsonValue> parameters = FindMember(root, "parameters");
  if (!parameters) return overrides;
  if (!parameters->IsObject()) return absl::InternalError(std::string(kNotObject));
  absl::Status status;
  std::string scratch;
  parameters->ForEachMember(&scratch, [&](std::string_view name, const JsonValue& value) {
    status = ReadLoadParameter(name, value, overrides);
    return status.ok();
  });
  if (!status.ok()) return status;
  return overrides;
}

absl::StatusOr<bool> ReadUnloadRequest(const HttpRequest& request) {
  NEREID_RETURN_IF_ERROR(RefuseRepositoryName(request));
  NEREID_ASSIGN_OR_RETURN(const std::optional<JsonValue> root, ParseOptionalBody(request));
  bool unload_dependents = false;
  const auto value = FindMember(FindMember(root, "parameters"), "unload_dependents");
  if (value) value->GetBool(&unload_dependents);  // anything else counts as false
  return unload_dependents;
}

// Answers when the server is done. Shared because std::function wants to be copied.
InferenceServer::Done ReplyWhenDone(HttpExchange exchange) {
  auto shared = std::make_shared<HttpExchange>(std::move(exchange));
  return [shared](const absl::Status& status) {
    if (!status.ok()) return ReplyError(std::move(*shared), status);
    ReplyEmpty(std::move(*shared), 200, kJsonContentType);
  };
}

}  // namespace

absl::StatusOr<std::string> RepositoryIndexBody(const HttpEnvironment& environment,
                                                const HttpRequest& request) {
  NEREID_ASSIGN_OR_RETURN(const std::optional<JsonValue> root, ParseOptionalBody(request));
  bool ready_only = false;
  const std::optional<JsonValue> ready = FindMember(root, "ready");
  if (ready && !ready->GetBool(&ready_only)) {
    return absl::InvalidArgumentError("Invalid value for 'ready': expected a boolean");
  }
  NEREID_ASSIGN_OR_RETURN(const std::vector<IndexRow> rows,
                          environment.server->RepositoryIndex(ready_only));
  std::string out = "[";
  for (const IndexRow& row : rows) {
    out += out.size() > 1 ? ",{\"name\":" : "{\"name\":";
    AppendJsonString(row.name, out);
    AppendField("version", row.version, &out);
    AppendField("state", row.state, &out);
    AppendField("reason", row.reason, &out);
    out += '}';
  }
  out += ']';
  return out;
}

void HandleModelLoad(const HttpEnvironment& environment, HttpExchange exchange) {
  absl::StatusOr<LoadOverrides> overrides = ReadLoadRequest(exchange.request());
  if (!overrides.ok()) return ReplyError(std::move(exchange), overrides.status());
  std::string model(exchange.request().route.Get("model"));
  environment.server->LoadModel(std::move(model), *std::move(overrides),
                                ReplyWhenDone(std::move(exchange)));
}

void HandleModelUnload(const HttpEnvironment& environment, HttpExchange exchange) {
  const absl::StatusOr<bool> unload_dependents = ReadUnloadRequest(exchange.request());
  if (!unload_dependents.ok()) return ReplyError(std::move(exchange), unload_dependents.status());
  std::string model(exchange.request().route.Get("model"));
  environment.server->UnloadModel(std::move(model), *unload_dependents,
                                  ReplyWhenDone(std::move(exchange)));
}

}  // namespace nereid
