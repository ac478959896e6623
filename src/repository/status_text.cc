#include "repository/status_text.h"

#include "common/status_label.h"
#include "common/strings.h"

namespace nereid {

std::string StatusText(const absl::Status& status) {
  return StrCat(StatusLabel(status.code()), ": ", status.message());
}

}  // namespace nereid
