#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "net/http_exchange.h"
#include "net/http_request.h"
#include "net/route_match.h"

namespace nereid {

// One row of a route table. The columns below `handler` mean nothing to the router: it hands the
// row back with the match, and the frontend reads them.
struct Route {
  HttpMethod method = HttpMethod::kGet;
  // Segments separated by '/': a literal, {name} (any non-empty segment) or {name:digits}.
  // [brackets] enclose an optional part: "/v2/models/{model}[/versions/{version:digits}]/infer".
  std::string pattern;
  std::function<void(HttpExchange)> handler;

  std::string category;  // restriction and feature category
  std::string error_content_type = "application/json";
  uint64_t max_body_bytes = UINT64_MAX;
};

// Finds the row of a request in a table that is constant after construction: one walk over the
// path's segments, literals before captures (whatever the order of the rows). The whole path must
// match; an empty segment and a trailing slash match nothing. Literals are compared with the raw
// path, case-sensitively; captures are percent-decoded (an invalid escape stays as it is).
// Thread-safe.
class Router {
 public:
  // InvalidArgument: a malformed pattern, or two rows of one method that match the same paths.
  static absl::StatusOr<std::unique_ptr<Router>> Create(std::vector<Route> routes);
  ~Router();

  RouteMatch Match(HttpMethod method, std::string_view path) const;

  const std::vector<Route>& routes() const { return routes_; }

 private:
  struct Node;
  class Builder;

  explicit Router(std::vector<Route> routes);

  const std::vector<Route> routes_;
  std::unique_ptr<Node> root_;
};

}  // namespace nereid
