#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/server_options.h"
#include "net/http_request.h"

namespace nereid {

// Categories of routes that only callers with a shared key may use. Immutable; any thread.
class RestrictedApis {
 public:
  explicit RestrictedApis(const std::vector<RestrictedCategories>& groups);

  // The name of the header that `request` lacks, or has with another value; nullptr when it may go
  // on.
  const std::string* MissingHeader(std::string_view category, const HttpRequest& request) const;

 private:
  struct Secret {
    std::string header;
    std::string value;
  };
  std::map<std::string, Secret, std::less<>> by_category_;
};

}  // namespace nereid
