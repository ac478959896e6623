#include "frontend/grpc/grpc_frontend.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/strings.h"
#include "proto/grpc_service.pb.h"
#include "proto/health.pb.h"
#include "support/raw_http_client.h"
#include "support/test_certificate.h"
#include "unit/frontend/grpc/grpc_test_client.h"
#include "unit/frontend/grpc/rpc_test_env.h"

namespace nereid {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using testing::AnswerIdentity;
using testing::FakeServer;
using testing::GrpcTestClient;
using testing::IdentityConfig;

ModelInferRequest IdentityRequest(const std::string& bytes) {
  ModelInferRequest request;
  request.set_model_name("identity");
  auto* input = request.add_inputs();
  input->set_name("INPUT0");
  input->set_datatype("UINT8");
  input->add_shape(1);
  input->add_shape(static_cast<int64_t>(bytes.size()));
  request.add_raw_input_contents(bytes);
  return request;
}

// Requests that wait until the test answers them.
class Held {
 public:
  void Add(std::unique_ptr<InferRequest> request) {
    const std::lock_guard<std::mutex> lock(mutex_);
    requests_.push_back(std::move(request));
    changed_.notify_all();
  }
  std::unique_ptr<InferRequest> Take() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return !requests_.empty(); });
    auto request = std::move(requests_.back());
    requests_.pop_back();
    return request;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<InferRequest>> requests_;
};

// The flag is set by the transport's thread some time after the client has acted.
bool BecomesCancelled(const InferRequest& request) {
  const TimePoint give_up = Clock::now() + std::chrono::seconds(20);
  while (!request.IsCancelled()) {
    if (Clock::now() > give_up) return false;
    std::this_thread::yield();
  }
  return true;
}

class GrpcFrontendTest : public ::testing::Test {
 protected:
  GrpcFrontendTest() {
    options_.endpoint.address = "127.0.0.1";
    options_.endpoint.port = 0;
    options_.thread_count = 1;
  }

  void AddIdentity() { server_.Add(IdentityConfig("TYPE_UINT8")); }
  void AddHolding() {
    server_.Add(IdentityConfig("TYPE_UINT8"), 1,
                [this](std::unique_ptr<InferRequest> request) { held_.Add(std::move(request)); });
  }
  void Start() {
    auto frontend = GrpcFrontend::Create(options_, &server_);
    ASSERT_TRUE(frontend.ok()) << frontend.status();
    frontend_ = *std::move(frontend);
    ASSERT_GT(frontend_->port(), 0);
    client_ = std::make_unique<GrpcTestClient>(frontend_->port());
  }
  // The reply to an identity request for `bytes`.
  grpc::Status Infer(const std::string& bytes, ModelInferResponse* response,
                     grpc::ClientContext* context = nullptr) {
    return client_->Call("ModelInfer", IdentityRequest(bytes), response, context);
  }

  GrpcServiceOptions options_;
  FakeServer server_;
  Held held_;
  std::unique_ptr<GrpcFrontend> frontend_;
  std::unique_ptr<GrpcTestClient> client_;
};

TEST_F(GrpcFrontendTest, InfersOverARealConnection) {
  AddIdentity();
  Start();
  ModelInferResponse response;
  for (const std::string& bytes : {std::string("x"), std::string(5000, 'y')}) {
    const grpc::Status status = Infer(bytes, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.raw_output_contents(0), bytes);
  }
}

TEST_F(GrpcFrontendTest, CarriesTensorsOfManyMegabytes) {
  AddIdentity();
  Start();
  std::string bytes(12 << 20, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 2654435761u >> 13);
  for (int i = 0; i < 3; ++i) {
    ModelInferResponse response;
    const grpc::Status status = Infer(bytes, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_TRUE(response.raw_output_contents(0) == bytes);
  }
}

TEST_F(GrpcFrontendTest, ServesManyCallsAtOnceFromWorkers) {
  options_.thread_count = 2;
  AddHolding();
  Start();
  constexpr int kCalls = 200;
  std::vector<std::thread> workers;
  for (int w = 0; w < 4; ++w) {
    workers.emplace_back([this] {
      for (int i = 0; i < kCalls / 4; ++i) AnswerIdentity(held_.Take());
    });
  }
  std::vector<std::future<bool>> calls;
  for (int i = 0; i < kCalls; ++i) {
    calls.push_back(std::async(std::launch::async, [this, i] {
      ModelInferResponse response;
      const std::string bytes = std::to_string(i);
      return Infer(bytes, &response).ok() && response.raw_output_contents(0) == bytes;
    }));
  }
  for (auto& call : calls) EXPECT_TRUE(call.get());
  for (std::thread& worker : workers) worker.join();
}

TEST_F(GrpcFrontendTest, ReportsErrorsWithCodeAndText) {
  Start();
  ModelInferResponse response;
  const grpc::Status status = Infer("x", &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "Request for unknown model: 'identity' is not found");
}

TEST_F(GrpcFrontendTest, CutsErrorTextsThatClientsWouldNotAccept) {
  AddIdentity();
  server_.infer_status = absl::InternalError(std::string(100000, 'x') + "é");
  Start();
  ModelInferResponse response;
  const grpc::Status status = Infer("x", &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(status.error_message(), std::string(6144, 'x') + "...");
}

TEST_F(GrpcFrontendTest, TellsTheRequestThatTheClientHasCancelled) {
  AddHolding();
  Start();
  grpc::ClientContext context;
  ModelInferResponse response;
  auto call = std::async(std::launch::async, [&] { return Infer("x", &response, &context); });
  const auto request = held_.Take();
  EXPECT_FALSE(request->IsCancelled());
  context.TryCancel();
  EXPECT_EQ(call.get().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(BecomesCancelled(*request));
  request->Fail(absl::CancelledError("cancelled"));
}

TEST_F(GrpcFrontendTest, TellsTheRequestThatTheClientHasGone) {
  AddHolding();
  Start();
  grpc::ClientContext context;
  ModelInferResponse response;
  auto other = std::make_unique<GrpcTestClient>(frontend_->port());
  auto call = std::async(std::launch::async, [&] {
    return other->Call("ModelInfer", IdentityRequest("x"), &response, &context);
  });
  auto request = held_.Take();
  context.TryCancel();
  call.get();
  other.reset();
  EXPECT_TRUE(BecomesCancelled(*request));
  AnswerIdentity(std::move(request));
}

TEST_F(GrpcFrontendTest, HonoursTheClientsDeadline) {
  AddHolding();
  Start();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  ModelInferResponse response;
  auto call = std::async(std::launch::async, [&] { return Infer("x", &response, &context); });
  auto request = held_.Take();
  EXPECT_LT(request->deadline, Clock::now() + std::chrono::milliseconds(400));
  EXPECT_EQ(call.get().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(BecomesCancelled(*request));
  AnswerIdentity(std::move(request));
}

TEST_F(GrpcFrontendTest, HasNoDeadlineWhenTheClientHasNone) {
  AddHolding();
  Start();
  ModelInferResponse response;
  auto call = std::async(std::launch::async, [&] { return Infer("x", &response); });
  auto request = held_.Take();
  EXPECT_EQ(request->deadline, TimePoint::max());
  AnswerIdentity(std::move(request));
  EXPECT_TRUE(call.get().ok());
}

TEST_F(GrpcFrontendTest, DrainFinishesWhatIsInFlight) {
  AddHolding();
  Start();
  ModelInferResponse response;
  auto call = std::async(std::launch::async, [&] { return Infer("x", &response); });
  auto request = held_.Take();
  EXPECT_EQ(frontend_->InFlight(), 1);
  auto drained = std::async(std::launch::async, [this] {
    return frontend_->Drain(Clock::now() + std::chrono::seconds(30));
  });
  AnswerIdentity(std::move(request));
  EXPECT_TRUE(drained.get());
  EXPECT_TRUE(call.get().ok());

  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  EXPECT_EQ(Infer("x", &response, &context).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(GrpcFrontendTest, DrainCancelsWhatDoesNotEndInTime) {
  AddHolding();
  Start();
  ModelInferResponse response;
  auto call = std::async(std::launch::async, [&] { return Infer("x", &response); });
  auto request = held_.Take();
  EXPECT_FALSE(frontend_->Drain(Clock::now() + std::chrono::milliseconds(50)));
  EXPECT_FALSE(call.get().ok());
  EXPECT_TRUE(BecomesCancelled(*request));
  // The frontend goes only after the request has been answered.
  auto gone = std::async(std::launch::async, [this] { frontend_.reset(); });
  AnswerIdentity(std::move(request));
  gone.get();
}

TEST_F(GrpcFrontendTest, DrainDoesNotWaitForClientsThatDoNotHangUp) {
  AddIdentity();
  Start();
  testing::RawHttpClient client(static_cast<uint16_t>(frontend_->port()));
  const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
  client.Send(std::string(preface, sizeof(preface) - 1));
  const TimePoint began = Clock::now();
  EXPECT_TRUE(frontend_->Drain(began + std::chrono::seconds(60)));
  EXPECT_LT(Clock::now() - began, std::chrono::seconds(30));
}

TEST_F(GrpcFrontendTest, EndsUnderTraffic) {
  options_.thread_count = 2;
  AddIdentity();
  Start();
  std::atomic<bool> stop{false};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      while (!stop) {
        grpc::ClientContext context;
        context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
        ModelInferResponse response;
        Infer("x", &response, &context);
      }
    });
  }
  ModelInferResponse response;
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(Infer("x", &response).ok());
  frontend_.reset();
  stop = true;
  for (std::thread& client : clients) client.join();
}

TEST_F(GrpcFrontendTest, SaysThatThePortIsInUse) {
  Start();
  options_.endpoint.port = frontend_->port();
  const auto second = GrpcFrontend::Create(options_, &server_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Message(second.status()),
            StrCat("Socket '127.0.0.1:", frontend_->port(), "' already in use "));
}

TEST_F(GrpcFrontendTest, SaysWhichOptionsItCannotUse) {
  GrpcServiceOptions broken = options_;
  broken.endpoint.address = "203.0.113.7";
  EXPECT_FALSE(GrpcFrontend::Create(broken, &server_).ok());
  broken = options_;
  broken.response_compression = "maximal";
  EXPECT_EQ(GrpcFrontend::Create(broken, &server_).status().code(),
            absl::StatusCode::kInvalidArgument);
  broken = options_;
  broken.header_forward_pattern = "(";
  EXPECT_EQ(GrpcFrontend::Create(broken, &server_).status().code(),
            absl::StatusCode::kInvalidArgument);
  broken = options_;
  broken.use_ssl = true;
  broken.server_key = "/nowhere/key.pem";
  const absl::Status status = GrpcFrontend::Create(broken, &server_).status();
  EXPECT_EQ(Message(status), "failed to read the certificate file '/nowhere/key.pem'");
}

TEST_F(GrpcFrontendTest, AnswersTheStandardHealthService) {
  Start();
  grpc::health::v1::HealthCheckResponse response;
  const grpc::health::v1::HealthCheckRequest request;
  ASSERT_TRUE(client_->Call("/grpc.health.v1.Health/Check", request, &response).ok());
  EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::SERVING);
  EXPECT_EQ(client_->Call("/grpc.health.v1.Health/Watch", request, &response).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(GrpcFrontendTest, RefusesUnknownMethodsAndStreams) {
  Start();
  ModelInferResponse response;
  EXPECT_EQ(client_->Call("NoSuchMethod", ModelInferRequest(), &response).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  std::vector<std::string> replies;
  const grpc::Status status = client_->Stream("/inference.GRPCInferenceService/ModelStreamInfer",
                                              IdentityRequest("x").SerializeAsString(), &replies);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(status.error_message(), "ModelStreamInfer is not supported by this server");
}

// Messages of the reflection service, written by hand: a request has list_services as field 7 and
// file_containing_symbol as field 4.
TEST_F(GrpcFrontendTest, ReflectsItsServices) {
  Start();
  constexpr char kReflection[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  std::vector<std::string> replies;
  ASSERT_TRUE(client_->Stream(kReflection, "\x3a\x01*", &replies).ok());
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_NE(replies[0].find("inference.GRPCInferenceService"), std::string::npos);
  EXPECT_NE(replies[0].find("grpc.health.v1.Health"), std::string::npos);

  const std::string symbol = "inference.GRPCInferenceService.ModelInfer";
  replies.clear();
  ASSERT_TRUE(client_
                  ->Stream(kReflection,
                           std::string("\x22") + static_cast<char>(symbol.size()) + symbol,
                           &replies)
                  .ok());
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_NE(replies[0].find("raw_output_contents"), std::string::npos);
}

TEST_F(GrpcFrontendTest, RestrictsCategoriesToThoseWhoKnowTheKey) {
  AddIdentity();
  options_.restricted = {{{"inference"}, "k", "secret"}};
  Start();
  ModelInferResponse response;
  const grpc::Status refused = Infer("x", &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(refused.error_message(),
            "This protocol is restricted, expecting header 'triton-grpc-protocol-k'");
  grpc::ClientContext context;
  context.AddMetadata("triton-grpc-protocol-k", "secret");
  EXPECT_TRUE(Infer("x", &response, &context).ok());
  inference::ServerLiveResponse live;
  EXPECT_TRUE(client_->Call("ServerLive", inference::ServerLiveRequest(), &live).ok());
}

TEST_F(GrpcFrontendTest, ForwardsMetadataAsParameters) {
  options_.header_forward_pattern = "^x-";
  AddHolding();
  Start();
  grpc::ClientContext context;
  context.AddMetadata("x-user", "ann");
  context.AddMetadata("y-user", "bob");
  ModelInferResponse response;
  auto call = std::async(std::launch::async, [&] { return Infer("x", &response, &context); });
  auto request = held_.Take();
  ASSERT_EQ(request->parameters.size(), 1u);
  EXPECT_EQ(request->parameters[0].value, ParameterValue(std::string("ann")));
  AnswerIdentity(std::move(request));
  EXPECT_TRUE(call.get().ok());
}

TEST_F(GrpcFrontendTest, AnswersCompressedWhenAskedTo) {
  options_.response_compression = "high";
  AddIdentity();
  Start();
  grpc::ClientContext context;
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  ModelInferResponse response;
  const std::string bytes(100000, 'z');
  ASSERT_TRUE(Infer(bytes, &response, &context).ok());
  EXPECT_EQ(response.raw_output_contents(0), bytes);
}

// Two connections must not be able to share what one of them holds.
TEST_F(GrpcFrontendTest, KeepsTheReceivedBytesUntilTheRequestEnds) {
  AddHolding();
  Start();
  ModelInferResponse first, second;
  auto slow =
      std::async(std::launch::async, [&] { return Infer(std::string(70000, 'a'), &first); });
  auto request = held_.Take();
  auto fast =
      std::async(std::launch::async, [&] { return Infer(std::string(70000, 'b'), &second); });
  AnswerIdentity(held_.Take());
  EXPECT_TRUE(fast.get().ok());
  AnswerIdentity(std::move(request));
  EXPECT_TRUE(slow.get().ok());
  EXPECT_EQ(first.raw_output_contents(0), std::string(70000, 'a'));
  EXPECT_EQ(second.raw_output_contents(0), std::string(70000, 'b'));
}

class GrpcTlsTest : public GrpcFrontendTest {
 protected:
  GrpcTlsTest() {
    folder_ = std::filesystem::temp_directory_path() /
              StrCat("nereid_tls_", static_cast<int64_t>(getpid()));
    std::filesystem::create_directories(folder_);
    options_.use_ssl = true;
    options_.server_key = Write("key.pem", testing::kTestKey);
    options_.server_cert = Write("cert.pem", testing::kTestCertificate);
  }
  ~GrpcTlsTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const char* name, const char* text) {
    const std::filesystem::path path = folder_ / name;
    std::ofstream(path) << text;
    return path;
  }
  bool IsLive(grpc::SslCredentialsOptions options) {
    options.pem_root_certs = testing::kTestCertificate;
    GrpcTestClient client(frontend_->port(), grpc::SslCredentials(options));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    inference::ServerLiveResponse response;
    return client.Call("ServerLive", inference::ServerLiveRequest(), &response, &context).ok();
  }

  std::filesystem::path folder_;
};

TEST_F(GrpcTlsTest, ServesOverTls) {
  Start();
  EXPECT_TRUE(IsLive({}));
}

TEST_F(GrpcTlsTest, AsksForTheClientsCertificateWhenMutual) {
  options_.use_ssl_mutual = true;
  options_.root_cert = options_.server_cert;
  Start();
  grpc::SslCredentialsOptions with_certificate;
  with_certificate.pem_private_key = testing::kTestKey;
  with_certificate.pem_cert_chain = testing::kTestCertificate;
  EXPECT_TRUE(IsLive(with_certificate));
  EXPECT_FALSE(IsLive({}));
}

}  // namespace
}  // namespace nereid
