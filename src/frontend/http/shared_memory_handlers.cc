#include "frontend/http/shared_memory_handlers.h"

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
#include "server/inference_server.h"
#include "wire/json_value.h"
#include "wire/kserve_json_errors.h"

namespace nereid {
namespace {

absl::StatusOr<std::vector<SharedMemoryInfo>> RegionsAskedFor(const HttpEnvironment& environment,
                                                              const HttpRequest& request,
                                                              SharedMemoryKind kind) {
  return environment.server->shared_memory().Status(kind, request.route.Get("region"));
}

// [{"name":<name>,<the rest>},…]
template <typename AppendRest>
std::string RegionList(const std::vector<SharedMemoryInfo>& regions, AppendRest append_rest) {
  std::string out = "[";
  for (const SharedMemoryInfo& region : regions) {
    out += out.size() > 1 ? ",{\"name\":" : "{\"name\":";
    AppendJsonString(region.name, out);
    append_rest(region, out);
    StrAppend(&out, ",\"byte_size\":", region.byte_size, "}");
  }
  return out + "]";
}

absl::StatusOr<JsonValue> RequiredField(const JsonValue& root, std::string_view field) {
  const std::optional<JsonValue> value = FindMember(root, field);
  if (value) return *value;
  return absl::InvalidArgumentError(
      StrCat("Shared memory register request has no '", field, "' field"));
}

absl::StatusOr<uint64_t> ReadUint(const JsonValue& value) {
  uint64_t number = 0;
  if (!value.GetUint(&number)) return absl::InternalError(std::string(kNotUnsigned));
  return number;
}

absl::StatusOr<std::string> ReadString(const JsonValue& value) {
  std::string scratch;
  std::string_view text;
  if (!value.GetString(&scratch, &text)) return absl::InternalError(std::string(kNotString));
  return std::string(text);
}

// The bytes of `text`; none when there is anything in it that base64 does not have.
std::string StrictBase64(std::string_view text) {
  const size_t padding = text.find('=');
  const std::string_view digits = text.substr(0, padding);
  const std::string bytes = DecodeBase64(text);
  return bytes.size() == digits.size() * 3 / 4 ? bytes : std::string();
}

// The bytes in {"b64":"…"}.
absl::StatusOr<std::string> ReadHandle(const JsonValue& value) {
  if (!value.IsObject()) return absl::InternalError(std::string(kNotObject));
  const std::optional<JsonValue> encoded = FindMember(value, "b64");
  if (!encoded) {
    return absl::InternalError("attempt to access non-existing object member 'b64'");
  }
  NEREID_ASSIGN_OR_RETURN(const std::string text, ReadString(*encoded));
  return StrictBase64(text);
}

absl::Status RegisterSystem(SharedMemoryRegistry& registry, std::string_view region,
                            const JsonValue& root) {
  NEREID_ASSIGN_OR_RETURN(const JsonValue key_field, RequiredField(root, "key"));
  NEREID_ASSIGN_OR_RETURN(const std::string key, ReadString(key_field));
  uint64_t offset = 0;
  if (const auto offset_field = FindMember(root, "offset")) {
    NEREID_ASSIGN_OR_RETURN(offset, ReadUint(*offset_field));
  }
  NEREID_ASSIGN_OR_RETURN(const JsonValue size_field, RequiredField(root, "byte_size"));
  NEREID_ASSIGN_OR_RETURN(const uint64_t byte_size, ReadUint(size_field));
  return registry.RegisterSystem(region, key, offset, byte_size);
}

absl::Status RegisterCuda(SharedMemoryRegistry& registry, std::string_view region,
                          const JsonValue& root) {
  NEREID_ASSIGN_OR_RETURN(const JsonValue handle_field, RequiredField(root, "raw_handle"));
  NEREID_ASSIGN_OR_RETURN(const std::string handle, ReadHandle(handle_field));
  NEREID_ASSIGN_OR_RETURN(const JsonValue size_field, RequiredField(root, "byte_size"));
  NEREID_ASSIGN_OR_RETURN(const uint64_t byte_size, ReadUint(size_field));
  NEREID_ASSIGN_OR_RETURN(const JsonValue device_field, RequiredField(root, "device_id"));
  int64_t device = 0;
  if (!device_field.GetInt(&device)) return absl::InternalError(std::string(kNotSigned));
  return registry.RegisterCuda(region, handle, device, byte_size);
}

using RegisterFunction = absl::Status (*)(SharedMemoryRegistry&, std::string_view region,
                                          const JsonValue& root);

absl::Status Register(const HttpEnvironment& environment, const HttpRequest& request,
                      std::string_view kind, RegisterFunction function) {
  SharedMemoryRegistry& registry = environment.server->shared_memory();
  NEREID_RETURN_IF_ERROR(registry.CheckAllowed());
  const std::string_view region = request.route.Get("region");
  if (region.empty()) {
    return absl::InvalidArgumentError(
        StrCat("'region name' is necessary to register ", kind, " shared memory region"));
  }
  NEREID_ASSIGN_OR_RETURN(const JsonValue root, JsonValue::Parse(request.body.view()));
  return function(registry, region, root);
}

absl::Status Unregister(const HttpEnvironment& environment, const HttpRequest& request,
                        SharedMemoryKind kind) {
  SharedMemoryRegistry& registry = environment.server->shared_memory();
  NEREID_RETURN_IF_ERROR(registry.CheckAllowed());
  registry.Unregister(kind, request.route.Get("region"));
  return absl::OkStatus();
}

void ReplyStatus(HttpExchange exchange, const absl::Status& status) {
  if (!status.ok()) return ReplyError(std::move(exchange), status);
  ReplyEmpty(std::move(exchange), 200, kJsonContentType);
}

}  // namespace

absl::StatusOr<std::string> SystemSharedMemoryStatusBody(const HttpEnvironment& environment,
                                                         const HttpRequest& request) {
  NEREID_ASSIGN_OR_RETURN(const auto regions,
                          RegionsAskedFor(environment, request, SharedMemoryKind::kSystem));
  return RegionList(regions, [](const SharedMemoryInfo& region, std::string& out) {
    out += ",\"key\":";
    AppendJsonString(region.key, out);
    StrAppend(&out, ",\"offset\":", region.offset);
  });
}

absl::StatusOr<std::string> CudaSharedMemoryStatusBody(const HttpEnvironment& environment,
                                                       const HttpRequest& request) {
  NEREID_ASSIGN_OR_RETURN(const auto regions,
                          RegionsAskedFor(environment, request, SharedMemoryKind::kCuda));
  return RegionList(regions, [](const SharedMemoryInfo& region, std::string& out) {
    StrAppend(&out, ",\"device_id\":", region.device);
  });
}

void HandleSystemSharedMemoryRegister(const HttpEnvironment& environment, HttpExchange exchange) {
  const absl::Status status = Register(environment, exchange.request(), "system", RegisterSystem);
  ReplyStatus(std::move(exchange), status);
}

void HandleCudaSharedMemoryRegister(const HttpEnvironment& environment, HttpExchange exchange) {
  const absl::Status status = Register(environment, exchange.request(), "cuda", RegisterCuda);
  ReplyStatus(std::move(exchange), status);
}

void HandleSystemSharedMemoryUnregister(const HttpEnvironment& environment, HttpExchange exchange) {
  const absl::Status status =
      Unregister(environment, exchange.request(), SharedMemoryKind::kSystem);
  ReplyStatus(std::move(exchange), status);
}

void HandleCudaSharedMemoryUnregister(const HttpEnvironment& environment, HttpExchange exchange) {
  const absl::Status status = Unregister(environment, exchange.request(), SharedMemoryKind::kCuda);
  ReplyStatus(std::move(exchange), status);
}

}  // namespace nereid
