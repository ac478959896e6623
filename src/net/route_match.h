#pragma once

#include <memory>
#include <string_view>

#include "absl/container/inlined_vector.h"

namespace nereid {

struct Route;

// The result of matching one request against a Router.
struct RouteMatch {
  enum class Kind {
    kNotFound,          // no row has this path; `route` is null
    kMethodNotAllowed,  // `route` is a row of that path, of another method
    kFound,
  };
  struct Capture {
    std::string_view name;   // owned by the router
    std::string_view value;  // percent-decoded; valid as long as the request
  };

  Kind kind = Kind::kNotFound;
  const Route* route = nullptr;
  absl::InlinedVector<Capture, 3> captures;

  // Value of the capture, or "" when the path has no such part.
  std::string_view Get(std::string_view name) const {
    for (const Capture& capture : captures) {
      if (capture.name == name) return capture.value;
    }
    return {};
  }

  // Holds decoded values; null when nothing had to be decoded.
  std::unique_ptr<char[]> decoded;
};

}  // namespace nereid
