#include "config/prepare.h"

#include "common/status_macros.h"
#include "config/complete.h"
#include "config/normalize.h"
#include "config/unbuilt_features.h"
#include "config/validate.h"
#include "proto/model_config.pb.h"

namespace nereid {

absl::Status PrepareConfig(const PrepareOptions& options, const VersionEntries& entries,
                           inference::ModelConfig* config) {
  NEREID_RETURN_IF_ERROR(DeriveBackend(options.directory_name, entries, config));
  NormalizeConfig(config);
  NEREID_RETURN_IF_ERROR(ValidateConfig(*config));
  if (!options.auto_complete) NEREID_RETURN_IF_ERROR(ValidateConfigIo(*config));
  if (!options.check_directory_name) return absl::OkStatus();
  return ValidateDirectoryName(*config, options.directory_name);
}

absl::Status FinishConfig(const ConfigProposal& proposal, inference::ModelConfig* config) {
  NEREID_RETURN_IF_ERROR(ApplyProposal(proposal, config));
  NEREID_RETURN_IF_ERROR(ValidateConfig(*config));
  NEREID_RETURN_IF_ERROR(ValidateConfigIo(*config));
  NEREID_RETURN_IF_ERROR(ValidateSequenceState(*config));
  return CheckSupported(*config);
}

}  // namespace nereid
