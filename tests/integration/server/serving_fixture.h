#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "assembly/core.h"
#include "common/strings.h"
#include "frontend/grpc/grpc_frontend.h"
#include "frontend/http/http_frontend.h"
#include "support/raw_http_client.h"
#include "support/temp_directory.h"
#include "support/waiter.h"

namespace nereid::testing {

// A whole server in this process, over a repository of its own in explicit mode, on free ports of
// the loopback interface.
class ServingFixture : public ::testing::Test {
 protected:
  // What a model of the identity or nonsense backend may differ in.
  struct ModelText {
    std::string backend = "identity";
    int max_batch_size = 8;
    int delay_ms = 0;
    std::string fault = {};
    std::string extra = {};
  };

  void WriteModel(const std::string& name, const ModelText& text) {
    repository_.MakeDirectory(StrCat(name, "/1"));
    repository_.Write(
        StrCat(name, "/config.pbtxt"),
        StrCat("backend: \"", text.backend, "\" max_batch_size: ", text.max_batch_size,
               " input { name: \"INPUT0\" data_type: TYPE_INT32 dims: [ -1 ] }"
               " output { name: \"OUTPUT0\" data_type: TYPE_INT32 dims: [ -1 ] }"
               " instance_group { count: 1 kind: KIND_CPU }"
               " parameters { key: \"execute_delay_ms\" value { string_value: \"",
               text.delay_ms, "\" } } parameters { key: \"fault\" value { string_value: \"",
               text.fault, "\" } } ", text.extra));
    if (text.backend == "nonsense") {
      const std::filesystem::path build = std::filesystem::path(NEREID_BACKEND_DIR).parent_path();
      std::filesystem::create_symlink(
          build / "tests/modules/libnereid_nonsense.so",
          std::filesystem::path(repository_.path()) / name / "libnereid_nonsense.so");
    }
  }

  void Start() {
    options_.backend_directory = NEREID_BACKEND_DIR;
    options_.repository.paths = {repository_.path()};
    options_.repository.control_mode = ModelControlMode::kExplicit;
    options_.repository.startup_models = {"*"};
    options_.exit_on_error = false;
    options_.strict_readiness = false;
    options_.http.endpoint = {.address = "127.0.0.1"};
    options_.grpc.endpoint = {.address = "127.0.0.1"};
    absl::StatusOr<std::unique_ptr<Core>> core = Core::Create(options_);
    ASSERT_TRUE(core.ok()) << core.status();
    core_ = *std::move(core);
    auto http = HttpFrontend::Create(options_.http, &core_->server());
    ASSERT_TRUE(http.ok()) << http.status();
    http_ = *std::move(http);
    auto grpc = GrpcFrontend::Create(options_.grpc, &core_->server());
    ASSERT_TRUE(grpc.ok()) << grpc.status();
    grpc_ = *std::move(grpc);
  }

  absl::Status Load(const std::string& model) {
    Waiter<absl::Status> done;
    core_->server().LoadModel(model, {}, [&](absl::Status status) { done.Set(std::move(status)); });
    return done.Wait();
  }

  absl::Status Unload(const std::string& model) {
    Waiter<absl::Status> done;
    core_->server().UnloadModel(model, false,
                                [&](absl::Status status) { done.Set(std::move(status)); });
    return done.Wait();
  }

  // An infer request with three numbers, as it goes over the wire.
  static std::string InferRequestText(std::string_view model) {
    const std::string body =
        R"({"inputs":[{"name":"INPUT0","datatype":"INT32","shape":[1,3],"data":[1,2,3]}]})";
    return StrCat("POST /v2/models/", model,
                  "/infer HTTP/1.1\r\nHost: t\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
  }
  static constexpr std::string_view kEcho = R"("shape":[1,3],"data":[1,2,3])";

  // Status and body; status 0 when the connection ended without an answer.
  std::pair<int, std::string> HttpInfer(std::string_view model) {
    RawHttpClient client(http_->port());
    client.Send(InferRequestText(model));
    const auto response = client.ReadResponse();
    return response ? std::pair(response->status, response->body) : std::pair(0, std::string());
  }

  ModelStatistics::Snapshot StatisticsOf(std::string_view model) {
    const auto rows = core_->server().Statistics(model, kLatestVersion);
    return rows.ok() ? rows->at(0).statistics : ModelStatistics::Snapshot();
  }

  ServerOptions options_;
  const TempDirectory repository_;
  std::unique_ptr<Core> core_;
  std::unique_ptr<HttpFrontend> http_;
  std::unique_ptr<GrpcFrontend> grpc_;
};

}  // namespace nereid::testing
