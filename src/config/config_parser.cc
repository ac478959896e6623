#include "config/config_parser.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "config/invalid.h"
#include "config/text_file.h"
#include "config/utf8.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

namespace protobuf = google::protobuf;

// Keeps the first complaint: later ones are consequences of it.
class FirstError : public protobuf::io::ErrorCollector {
 public:
  explicit FirstError(std::string_view path) : path_(path) {}

  void AddError(int line, protobuf::io::ColumnNumber column, const std::string& message) override {
    if (!text_.empty()) return;
    // The parser counts from 0, and says -1 for what has no place.
    text_ = line < 0 ? StrCat(path_, ": ", message)
                     : StrCat(path_, ":", line + 1, ":", column + 1, ": ", message);
  }

  const std::string& text() const { return text_; }

 private:
  std::string_view path_;
  std::string text_;
};

absl::Status TextError(std::string_view path, std::string_view why) {
  return absl::InternalError(StrCat("failed to read text proto from ", path, ": ", why));
}

absl::Status JsonError(std::string_view why) { return Invalid("Invalid config override: ", why); }

// What neither parser checks itself.
std::optional<std::string> Complaint(const inference::ModelConfig& config) {
  const std::string field = FindInvalidUtf8(config);
  if (field.empty()) return std::nullopt;
  return StrCat("field '", field, "' is not valid UTF-8");
}

std::string TooLarge(size_t size, const ParseLimits& limits) {
  return StrCat("configuration has ", size, " bytes, at most ", limits.max_bytes, " are accepted");
}

// Depth of the deepest object or array. The JSON parser recurses into each.
int JsonDepth(std::string_view json) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

absl::StatusOr<inference::ModelConfig> ParseConfigText(std::string_view text, std::string_view path,
                                                       const ParseLimits& limits) {
  if (text.size() > limits.max_bytes) return TextError(path, TooLarge(text.size(), limits));
  FirstError error(path);
  protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.SetRecursionLimit(limits.max_depth);
  protobuf::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  inference::ModelConfig config;
  if (!parser.Parse(&stream, &config)) return TextError(path, error.text());
  if (auto complaint = Complaint(config)) {
    return TextError(path, StrCat(path, ": ", *complaint));
  }
  return config;
}

absl::StatusOr<inference::ModelConfig> ReadConfigFile(const std::string& path,
                                                      const ParseLimits& limits) {
  NEREID_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, limits.max_bytes));
  return ParseConfigText(text, path, limits);
}

absl::StatusOr<inference::ModelConfig> ParseConfigJson(std::string_view json,
                                                       const ParseLimits& limits) {
  if (json.size() > limits.max_bytes) return JsonError(TooLarge(json.size(), limits));
  if (JsonDepth(json) > limits.max_depth) {
    return JsonError(StrCat("nested deeper than ", limits.max_depth, " levels"));
  }
  protobuf::util::JsonParseOptions options;
  options.case_insensitive_enum_parsing = true;
  inference::ModelConfig config;
  const auto status = protobuf::util::JsonStringToMessage(
      protobuf::StringPiece(json.data(), json.size()), &config, options);
  if (!status.ok()) {
    const auto message = status.message();
    return JsonError(std::string_view(message.data(), message.size()));
  }
  if (auto complaint = Complaint(config)) return JsonError(*complaint);
  return config;
}

std::string FindConfigFile(const std::string& model_path, const std::string& config_name) {
  const std::filesystem::path folder(model_path);
  std::error_code ignored;
  if (!config_name.empty()) {
    const auto alternative = folder / "configs" / (config_name + ".pbtxt");
    if (std::filesystem::is_regular_file(alternative, ignored)) return alternative.string();
  }
  const auto standard = folder / "config.pbtxt";
  return std::filesystem::exists(standard, ignored) ? standard.string() : "";
}

}  // namespace nereid
