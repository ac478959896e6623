#include "frontend/grpc/restrictions.h"

#include "absl/strings/ascii.h"
#include "common/strings.h"

namespace nereid {

Restrictions::Restrictions(const std::vector<RestrictedCategories>& groups) {
  for (const RestrictedCategories& group : groups) {
    for (const std::string& category : group.categories) {
      by_category_[category] = {StrCat("triton-grpc-protocol-", group.key), group.value};
    }
  }
}

absl::Status Restrictions::Check(std::string_view category, const RpcCall& call) const {
  if (by_category_.empty()) return absl::OkStatus();
  const auto found = by_category_.find(category);
  if (found == by_category_.end()) return absl::OkStatus();
  const Secret& secret = found->second;
  // Metadata keys travel in lower case whatever the option says.
  if (call.FindMetadata(absl::AsciiStrToLower(secret.metadata_key)) == secret.value) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(
      StrCat("This protocol is restricted, expecting header '", secret.metadata_key, "'"));
}

}  // namespace nereid
