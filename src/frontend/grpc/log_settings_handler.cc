#include "frontend/grpc/log_settings_handler.h"

#include <limits>
#include <string>

#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "proto/grpc_service.pb.h"

namespace nereid {
namespace {

using Value = inference::LogSettingsRequest::SettingValue;

absl::Status WrongType(const char* expected, const char* key) {
  return absl::InvalidArgumentError(StrCat("expect ", expected, " for '", key, "'"));
}

absl::Status RefuseFile(const char*, const Value&, LogOptions*) {
  return absl::UnimplementedError("log file location can not be updated through network protocol");
}

template <bool LogOptions::*member>
absl::Status SetSwitch(const char* key, const Value& value, LogOptions* options) {
  if (!value.has_bool_param()) return WrongType("boolean", key);
  options->*member = value.bool_param();
  return absl::OkStatus();
}

absl::Status SetVerbosity(const char* key, const Value& value, LogOptions* options) {
  if (!value.has_uint32_param() || value.uint32_param() > std::numeric_limits<int>::max()) {
    return WrongType("int32", key);
  }
  options->verbose_level = static_cast<int>(value.uint32_param());
  return absl::OkStatus();
}

absl::Status SetFormat(const char* key, const Value& value, LogOptions* options) {
  if (!value.has_string_param()) return WrongType("string", key);
  const std::string& format = value.string_param();
  if (format == "default") {
    options->format = LogFormat::kDefault;
  } else if (format == "ISO8601") {
    options->format = LogFormat::kIso8601;
  } else {
    return absl::InvalidArgumentError(StrCat("invalid argument for log_format, got: ", format));
  }
  return absl::OkStatus();
}

struct Setting {
  const char* key;
  absl::Status (*apply)(const char* key, const Value& value, LogOptions* options);
};
constexpr Setting kSettings[] = {
    {"log_file", RefuseFile},
    {"log_info", SetSwitch<&LogOptions::info>},
    {"log_warning", SetSwitch<&LogOptions::warning>},
    {"log_error", SetSwitch<&LogOptions::error>},
    {"log_verbose_level", SetVerbosity},
    {"log_format", SetFormat},
};

absl::Status ApplyAll(const inference::LogSettingsRequest& request, LogOptions* options) {
  for (const Setting& setting : kSettings) {
    const auto found = request.settings().find(setting.key);
    if (found == request.settings().end()) continue;
    NEREID_RETURN_IF_ERROR(setting.apply(setting.key, found->second, options));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status LogSettingsOf(const RpcEnvironment&, const inference::LogSettingsRequest& request,
                           inference::LogSettingsResponse* response) {
  LogOptions options = CurrentLogOptions();
  if (!request.settings().empty()) {
    const absl::Status applied = ApplyAll(request, &options);
    NEREID_RETURN_IF_ERROR(ConfigureLog(options));
    NEREID_RETURN_IF_ERROR(applied);
  }
  auto& settings = *response->mutable_settings();
  settings["log_file"].set_string_param(options.file);
  settings["log_info"].set_bool_param(options.info);
  settings["log_warning"].set_bool_param(options.warning);
  settings["log_error"].set_bool_param(options.error);
  settings["log_verbose_level"].set_uint32_param(static_cast<uint32_t>(options.verbose_level));
  settings["log_format"].set_string_param(options.format == LogFormat::kIso8601 ? "ISO8601"
                                                                                : "default");
  return absl::OkStatus();
}

}  // namespace nereid
