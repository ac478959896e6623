#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "config/server_options.h"
#include "frontend/grpc/rpc_call.h"

namespace nereid {

// Categories of procedures that only callers with a shared key may use. Immutable; any thread.
class Restrictions {
 public:
  explicit Restrictions(const std::vector<RestrictedCategories>& groups);

  // OK when the call may go on; UNAVAILABLE, naming the metadata key it lacks, otherwise.
  absl::Status Check(std::string_view category, const RpcCall& call) const;

 private:
  struct Secret {
    std::string metadata_key;
    std::string value;
  };
  std::map<std::string, Secret, std::less<>> by_category_;
};

}  // namespace nereid
