#include "frontend/http/model_path.h"

#include "common/status_macros.h"
#include "wire/model_version.h"

namespace nereid {

absl::StatusOr<ModelPath> ModelPathOf(const HttpRequest& request) {
  NEREID_ASSIGN_OR_RETURN(const int64_t version, ParseModelVersion(request.route.Get("version")));
  return ModelPath{request.route.Get("model"), version};
}

}  // namespace nereid
