#include "frontend/http/logging_handlers.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>

#include "common/json_text.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "wire/json_value.h"
#include "wire/kserve_json_errors.h"

namespace nereid {
namespace {

constexpr std::string_view kDefaultFormat = "default";
constexpr std::string_view kIso8601Format = "ISO8601";

absl::Status TypeFault(std::string_view what) { return absl::InternalError(std::string(what)); }

absl::Status RefuseFile(const JsonValue& /*value*/, LogOptions& /*options*/) {
  return absl::UnimplementedError("log file location can not be updated through network protocol");
}

template <bool LogOptions::*field>
absl::Status ReadSwitch(const JsonValue& value, LogOptions& options) {
  return value.GetBool(&(options.*field)) ? absl::OkStatus() : TypeFault(kNotBoolean);
}

absl::Status ReadVerboseLevel(const JsonValue& value, LogOptions& options) {
  uint64_t level = 0;
  if (!value.GetUint(&level)) return TypeFault(kNotUnsigned);
  constexpr uint64_t kMost = std::numeric_limits<int>::max();
  options.verbose_level = static_cast<int>(std::min(level, kMost));
  return absl::OkStatus();
}

absl::Status ReadFormat(const JsonValue& value, LogOptions& options) {
  std::string scratch;
  std::string_view name;
  if (!value.GetString(&scratch, &name)) return TypeFault(kNotString);
  if (name != kDefaultFormat && name != kIso8601Format) {
    return absl::UnavailableError(StrCat("invalid argument for --log_format, got: ", name));
  }
  options.format = name == kDefaultFormat ? LogFormat::kDefault : LogFormat::kIso8601;
  return absl::OkStatus();
}

struct Setting {
  std::string_view name;
  absl::Status (*read)(const JsonValue& value, LogOptions& options);
};

// In the order in which they are applied.
constexpr Setting kSettings[] = {
    {"log_file", RefuseFile},
    {"log_info", ReadSwitch<&LogOptions::info>},
    {"log_warning", ReadSwitch<&LogOptions::warning>},
    {"log_error", ReadSwitch<&LogOptions::error>},
    {"log_verbose_level", ReadVerboseLevel},
    {"log_format", ReadFormat},
};

std::string SettingsJson(const LogOptions& options) {
  const auto truth = [](bool on) { return on ? "true" : "false"; };
  std::string out = "{\"log_file\":";
  AppendJsonString(options.file, out);
  StrAppend(&out, ",\"log_info\":", truth(options.info),
            ",\"log_warning\":", truth(options.warning), ",\"log_error\":", truth(options.error),
            ",\"log_verbose_level\":", options.verbose_level, ",\"log_format\":\"",
            options.format == LogFormat::kDefault ? kDefaultFormat : kIso8601Format, "\"}");
  return out;
}

}  // namespace

absl::StatusOr<std::string> LogSettingsBody(const HttpEnvironment& /*environment*/,
                                            const HttpRequest& /*request*/) {
  return SettingsJson(CurrentLogOptions());
}

absl::StatusOr<std::string> UpdateLogSettingsBody(const HttpEnvironment& environment,
                                                  const HttpRequest& request) {
  NEREID_ASSIGN_OR_RETURN(const JsonValue root, JsonValue::Parse(request.body.view()));
  LogOptions options = CurrentLogOptions();
  absl::Status status;
  for (const Setting& setting : kSettings) {
    std::string scratch;
    bool found = false;
    root.ForEachMember(&scratch, [&](std::string_view name, const JsonValue& value) {
      found = name == setting.name;
      if (found && !value.IsNull()) status = setting.read(value, options);
      return !found;
    });
    if (!status.ok()) break;
  }
  NEREID_RETURN_IF_ERROR(ConfigureLog(options));
  if (!status.ok()) return status;
  return LogSettingsBody(environment, request);
}

}  // namespace nereid
