#include "net/router.h"

#include <algorithm>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "common/strings.h"
#include "net/percent.h"

namespace nereid {
namespace {

using Segments = absl::InlinedVector<std::string_view, 12>;

// "/a/b" → a, b. False for a path that does not begin with '/', or has an empty segment.
bool Split(std::string_view path, Segments* segments) {
  if (path.empty() || path[0] != '/') return false;
  for (size_t start = 1; start <= path.size();) {
    const size_t slash = std::min(path.find('/', start), path.size());
    if (slash == start) return false;
    segments->push_back(path.substr(start, slash - start));
    start = slash + 1;
  }
  return path.back() != '/';
}

bool AllDigits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Every path form of a pattern: each [optional part] with and without it.
std::vector<std::string> Expand(std::string_view pattern) {
  const size_t open = pattern.find('[');
  if (open == std::string_view::npos) return {std::string(pattern)};
  const size_t close = pattern.find(']', open);
  if (close == std::string_view::npos) return {};
  std::vector<std::string> forms;
  for (const std::string& rest : Expand(pattern.substr(close + 1))) {
    forms.push_back(StrCat(pattern.substr(0, open), rest));
    forms.push_back(
        StrCat(pattern.substr(0, open), pattern.substr(open + 1, close - open - 1), rest));
  }
  return forms;
}

}  // namespace

// A place in the tree of segments. A capture child's names belong to the rows, which may differ.
struct Router::Node {
  struct Row {
    const Route* route;
    std::vector<std::string> names;  // of its captures, in order
  };

  std::vector<std::pair<std::string, std::unique_ptr<Node>>> literals;
  std::unique_ptr<Node> digits;
  std::unique_ptr<Node> any;
  std::vector<Row> rows;  // those that end here

  Node* Literal(std::string_view text) const {
    for (const auto& [literal, child] : literals) {
      if (literal == text) return child.get();
    }
    return nullptr;
  }

  // The node where `segments` ends, its captured segments in `values`; null when there is none.
  const Node* Find(const std::string_view* segments, size_t count, Segments* values) const {
    if (count == 0) return rows.empty() ? nullptr : this;
    if (const Node* child = Literal(segments[0]); child != nullptr) {
      if (const Node* end = child->Find(segments + 1, count - 1, values)) return end;
    }
    for (const Node* child : {digits.get(), any.get()}) {
      if (child == nullptr || (child == digits.get() && !AllDigits(segments[0]))) continue;
      values->push_back(segments[0]);
      if (const Node* end = child->Find(segments + 1, count - 1, values)) return end;
      values->pop_back();
    }
    return nullptr;
  }
};

class Router::Builder {
 public:
  static absl::Status Add(const Route& route, Node* root) {
    const std::vector<std::string> forms = Expand(route.pattern);
    if (forms.empty()) return Malformed(route);
    for (const std::string& form : forms) {
      if (absl::Status status = AddForm(route, form, root); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  static absl::Status Malformed(const Route& route) {
    return absl::InvalidArgumentError(StrCat("malformed route '", route.pattern, "'"));
  }

  static absl::Status AddForm(const Route& route, std::string_view form, Node* node) {
    Segments segments;
    if (!Split(form, &segments)) return Malformed(route);
    std::vector<std::string> names;
    for (const std::string_view segment : segments) {
      node = Child(node, segment, &names);
      if (node == nullptr) return Malformed(route);
    }
    for (const Node::Row& row : node->rows) {
      if (row.route->method == route.method) {
        return absl::InvalidArgumentError(StrCat("routes '", row.route->pattern, "' and '",
                                                 route.pattern, "' match the same paths"));
      }
    }
    node->rows.push_back({&route, std::move(names)});
    return absl::OkStatus();
  }

  // The child for one segment of a pattern, made if need be; null when it is malformed.
  static Node* Child(Node* node, std::string_view segment, std::vector<std::string>* names) {
    if (segment.find_first_of("{}[]") == std::string_view::npos) {
      if (Node* child = node->Literal(segment)) return child;
      node->literals.emplace_back(std::string(segment), std::make_unique<Node>());
      return node->literals.back().second.get();
    }
    if (segment.front() != '{' || segment.back() != '}' || segment.size() < 3) return nullptr;
    const std::string_view inner = segment.substr(1, segment.size() - 2);
    const bool digits = inner.ends_with(":digits");
    const std::string_view name = inner.substr(0, inner.find(':'));
    if (name.empty() || (!digits && name.size() != inner.size())) return nullptr;
    names->emplace_back(name);
    std::unique_ptr<Node>& child = digits ? node->digits : node->any;
    if (child == nullptr) child = std::make_unique<Node>();
    return child.get();
  }
};

Router::Router(std::vector<Route> routes)
    : routes_(std::move(routes)), root_(std::make_unique<Node>()) {}

Router::~Router() = default;

absl::StatusOr<std::unique_ptr<Router>> Router::Create(std::vector<Route> routes) {
  std::unique_ptr<Router> router(new Router(std::move(routes)));
  for (const Route& route : router->routes_) {
    if (absl::Status status = Builder::Add(route, router->root_.get()); !status.ok()) {
      return status;
    }
  }
  return router;
}

namespace {

bool HasEscape(const RouteMatch::Capture& capture) {
  return capture.value.find('%') != std::string_view::npos;
}

// Escaped captures are decoded into one block of their own; the others stay views of the path.
void DecodeCaptures(RouteMatch* match) {
  size_t size = 0;
  for (const RouteMatch::Capture& capture : match->captures) {
    if (HasEscape(capture)) size += capture.value.size();
  }
  if (size == 0) return;
  match->decoded = std::make_unique<char[]>(size);
  char* out = match->decoded.get();
  for (RouteMatch::Capture& capture : match->captures) {
    if (!HasEscape(capture)) continue;
    const size_t length = PercentDecode(capture.value, out);
    capture.value = std::string_view(out, length);
    out += length;
  }
}

}  // namespace

RouteMatch Router::Match(HttpMethod method, std::string_view path) const {
  RouteMatch match;
  Segments segments;
  Segments values;
  if (!Split(path, &segments)) return match;
  const Node* node = root_->Find(segments.data(), segments.size(), &values);
  if (node == nullptr) return match;
  const Node::Row* row = &node->rows.front();
  match.kind = RouteMatch::Kind::kMethodNotAllowed;
  for (const Node::Row& candidate : node->rows) {
    if (candidate.route->method != method) continue;
    row = &candidate;
    match.kind = RouteMatch::Kind::kFound;
    break;
  }
  match.route = row->route;
  for (size_t i = 0; i < values.size(); ++i) {
    match.captures.push_back({row->names[i], values[i]});
  }
  DecodeCaptures(&match);
  return match;
}

}  // namespace nereid
