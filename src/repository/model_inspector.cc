#include "repository/model_inspector.h"

#include <utility>

#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "config/backend_derivation.h"
#include "config/config_json.h"
#include "config/config_parser.h"
#include "config/prepare.h"
#include "proto/model_config.pb.h"
#include "repository/version_policy.h"

namespace nereid {
namespace {

struct ConfigText {
  inference::ModelConfig config;
  bool provided = true;
};

absl::StatusOr<ConfigText> ReadConfig(const InspectOptions& options, const std::string& model_path,
                                      const std::string& config_json) {
  ConfigText text;
  if (!config_json.empty()) {
    NEREID_ASSIGN_OR_RETURN(text.config, ParseConfigJson(config_json));
    return text;
  }
  const std::string path = FindConfigFile(model_path, options.config_name);
  if (!path.empty()) {
    NEREID_ASSIGN_OR_RETURN(text.config, ReadConfigFile(path));
    return text;
  }
  if (!options.auto_complete) {
    return absl::InternalError(StrCat("failed to open text file for read ", model_path,
                                      "/config.pbtxt: No such file or directory"));
  }
  text.provided = false;
  return text;
}

}  // namespace

absl::StatusOr<InspectedModel> InspectModel(const InspectOptions& options, const std::string& name,
                                            ModelFolder folder, const std::string& config_json) {
  NEREID_ASSIGN_OR_RETURN(ConfigText text, ReadConfig(options, folder.path, config_json));
  NEREID_ASSIGN_OR_RETURN(const VersionEntries entries, ReadVersionEntries(folder.path));
  const PrepareOptions prepare = {
      .directory_name = name, .check_directory_name = true, .auto_complete = options.auto_complete};
  NEREID_RETURN_IF_ERROR(PrepareConfig(prepare, entries, &text.config));

  VersionSelection selection = SelectVersions(folder.versions, text.config.version_policy());
  for (const int64_t version : selection.missing) {
    NLOG(Error) << "version " << version << " is specified for model '" << name
                << "', but the version directory is not present";
  }
  return InspectedModel{
      .folder = std::move(folder),
      .config = std::make_shared<const inference::ModelConfig>(std::move(text.config)),
      .config_was_provided = text.provided,
      .serve = std::move(selection.serve)};
}

bool SameButForVersionPolicy(const inference::ModelConfig& a, const inference::ModelConfig& b) {
  const auto text = [](inference::ModelConfig config) {
    config.clear_version_policy();
    return ConfigToJson(config);
  };
  return text(a) == text(b);
}

}  // namespace nereid
