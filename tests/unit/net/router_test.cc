#include "net/router.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace nereid {
namespace {

using Kind = RouteMatch::Kind;

Route Row(HttpMethod method, std::string pattern) {
  Route route;
  route.method = method;
  route.pattern = std::move(pattern);
  return route;
}

std::unique_ptr<Router> NewRouter(std::vector<Route> routes) {
  auto router = Router::Create(std::move(routes));
  EXPECT_TRUE(router.ok()) << router.status();
  return *std::move(router);
}

std::unique_ptr<Router> ModelRouter() {
  return NewRouter({
      Row(HttpMethod::kGet, "/v2"),
      Row(HttpMethod::kGet, "/v2/models/{model}[/versions/{version:digits}]"),
      Row(HttpMethod::kPost, "/v2/models/{model}[/versions/{version:digits}]/infer"),
      Row(HttpMethod::kGet, "/v2/models/stats"),
      Row(HttpMethod::kGet, "/v2/models/{name}/trace/setting"),
      Row(HttpMethod::kPost, "/v2/models/{name}/trace/setting"),
      Row(HttpMethod::kPost, "/v2/repository[/{repo}]/models/{model}/load"),
  });
}

TEST(RouterTest, FindsTheRowAndItsCaptures) {
  struct Case {
    HttpMethod method;
    const char* path;
    const char* pattern;
    const char* model;
    const char* version;
  };
  const auto router = ModelRouter();
  for (const Case& c : {
           Case{HttpMethod::kGet, "/v2", "/v2", "", ""},
           Case{HttpMethod::kGet, "/v2/models/a", "/v2/models/{model}[/versions/{version:digits}]",
                "a", ""},
           Case{HttpMethod::kGet, "/v2/models/a/versions/12",
                "/v2/models/{model}[/versions/{version:digits}]", "a", "12"},
           Case{HttpMethod::kPost, "/v2/models/a/versions/12/infer",
                "/v2/models/{model}[/versions/{version:digits}]/infer", "a", "12"},
           Case{HttpMethod::kPost, "/v2/models/a/infer",
                "/v2/models/{model}[/versions/{version:digits}]/infer", "a", ""},
           Case{HttpMethod::kGet, "/v2/models/stats", "/v2/models/stats", "", ""},
           Case{HttpMethod::kPost, "/v2/models/stats/infer",
                "/v2/models/{model}[/versions/{version:digits}]/infer", "stats", ""},
           Case{HttpMethod::kPost, "/v2/repository/models/m/load",
                "/v2/repository[/{repo}]/models/{model}/load", "m", ""},
           Case{HttpMethod::kPost, "/v2/repository/models/models/m/load",
                "/v2/repository[/{repo}]/models/{model}/load", "m", ""},
       }) {
    const RouteMatch match = router->Match(c.method, c.path);
    ASSERT_EQ(match.kind, Kind::kFound) << c.path;
    EXPECT_EQ(match.route->pattern, c.pattern) << c.path;
    EXPECT_EQ(match.Get("model"), c.model) << c.path;
    EXPECT_EQ(match.Get("version"), c.version) << c.path;
  }
}

TEST(RouterTest, TellsUnknownPathsFromWrongMethods) {
  const auto router = ModelRouter();
  for (const char* path : {"", "/", "v2", "/v2/", "//v2", "/v2/models", "/v2/models/", "/V2",
                           "/v2/models//infer", "/v2/models/a/infer/", "/v2/models/a/versions/x",
                           "/v2/models/a/versions/1x/infer", "/v2/models/a/versions//infer",
                           "/v2/models/a/versions/1/trace/setting", "/v2/models/a/nothing", "*"}) {
    EXPECT_EQ(router->Match(HttpMethod::kGet, path).kind, Kind::kNotFound) << path;
  }
  const RouteMatch match = router->Match(HttpMethod::kGet, "/v2/models/a/infer");
  EXPECT_EQ(match.kind, Kind::kMethodNotAllowed);
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.route->method, HttpMethod::kPost);
  EXPECT_EQ(match.Get("model"), "a");
}

TEST(RouterTest, RowsOfOnePathDifferByMethod) {
  const auto router = ModelRouter();
  for (const HttpMethod method : {HttpMethod::kGet, HttpMethod::kPost}) {
    const RouteMatch match = router->Match(method, "/v2/models/m/trace/setting");
    ASSERT_EQ(match.kind, Kind::kFound);
    EXPECT_EQ(match.route->method, method);
    EXPECT_EQ(match.Get("name"), "m");
  }
}

TEST(RouterTest, DecodesCapturesAndOnlyThose) {
  const auto router = ModelRouter();
  RouteMatch match = router->Match(HttpMethod::kPost, "/v2/models/a%20b%2Fc%C3%A4/infer");
  ASSERT_EQ(match.kind, Kind::kFound);
  const RouteMatch moved = std::move(match);
  EXPECT_EQ(moved.Get("model"), "a b/c\xC3\xA4");
  EXPECT_EQ(router->Match(HttpMethod::kPost, "/v2/models/50%/infer").Get("model"), "50%");
  EXPECT_EQ(router->Match(HttpMethod::kPost, "/v2/models/%zz%4/infer").Get("model"), "%zz%4");
  EXPECT_EQ(router->Match(HttpMethod::kPost, "/v2/models/a/%69nfer").kind, Kind::kNotFound);
}

TEST(RouterTest, RefusesMalformedAndAmbiguousTables) {
  for (const char* pattern :
       {"", "v2", "/v2/", "/a//b", "/{}", "/{a", "/a}", "/a{b}", "/{a:b}", "/a[/b", "/{:digits}"}) {
    EXPECT_EQ(Router::Create({Row(HttpMethod::kGet, pattern)}).status().code(),
              absl::StatusCode::kInvalidArgument)
        << pattern;
  }
  EXPECT_FALSE(
      Router::Create({Row(HttpMethod::kGet, "/a/{x}"), Row(HttpMethod::kGet, "/a/{y}")}).ok());
  EXPECT_FALSE(
      Router::Create({Row(HttpMethod::kGet, "/a[/b]"), Row(HttpMethod::kGet, "/a/b")}).ok());
  EXPECT_TRUE(
      Router::Create({Row(HttpMethod::kGet, "/a/{x}"), Row(HttpMethod::kPost, "/a/{y}")}).ok());
}

}  // namespace
}  // namespace nereid
