#include "frontend/grpc/infer_handler.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <utility>

#include "common/strings.h"
#include "proto/grpc_service.pb.h"
#include "unit/frontend/grpc/rpc_test_env.h"

namespace nereid {
namespace {

using testing::AnswerIdentity;
using testing::FakeRpcCall;
using testing::IdentityConfig;
using testing::RpcOutcome;
using testing::RpcTestEnvironment;

inference::ModelInferRequest IdentityRequest(size_t elements = 2) {
  inference::ModelInferRequest request;
  request.set_model_name("identity");
  request.set_id("r1");
  auto* input = request.add_inputs();
  input->set_name("INPUT0");
  input->set_datatype("FP32");
  input->add_shape(1);
  input->add_shape(static_cast<int64_t>(elements));
  request.add_raw_input_contents(std::string(elements * 4, '\x3f'));
  return request;
}

inference::ModelInferResponse Parse(const RpcOutcome& outcome) {
  EXPECT_EQ(outcome.answers, 1);
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  inference::ModelInferResponse response;
  EXPECT_TRUE(response.ParseFromString(outcome.message));
  return response;
}

void ExpectFailure(const RpcOutcome& outcome, absl::StatusCode code, std::string_view text) {
  EXPECT_EQ(outcome.answers, 1);
  EXPECT_EQ(outcome.status.code(), code);
  EXPECT_EQ(Message(outcome.status), text);
}

TEST(HandleModelInfer, AnswersWithOutputsAndIdentity) {
  RpcTestEnvironment env;
  env.server.Add(IdentityConfig(), 7);
  const auto response = Parse(*env.Call("ModelInfer", IdentityRequest()));
  EXPECT_EQ(response.model_name(), "identity");
  EXPECT_EQ(response.model_version(), "7");
  EXPECT_EQ(response.id(), "r1");
  ASSERT_EQ(response.outputs_size(), 1);
  EXPECT_EQ(response.outputs(0).name(), "OUTPUT0");
  EXPECT_EQ(response.outputs(0).datatype(), "FP32");
  EXPECT_EQ(response.raw_output_contents(0), std::string(8, '\x3f'));
}

TEST(HandleModelInfer, SendsLargeTensorsFromWhereTheyAre) {
  RpcTestEnvironment env;
  env.server.Add(IdentityConfig());
  const auto outcome = env.Call("ModelInfer", IdentityRequest(100000));
  EXPECT_EQ(Parse(*outcome).raw_output_contents(0).size(), 400000u);
  ASSERT_EQ(outcome->pieces.inserts.size(), 1u);
  EXPECT_LT(outcome->pieces.text.size(), 200u);
}

TEST(HandleModelInfer, PassesDeadlineAndTimeOfArrivalOn) {
  RpcTestEnvironment env;
  TimePoint seen_deadline, seen_received;
  env.server.Add(IdentityConfig(), 1, [&](std::unique_ptr<InferRequest> request) {
    seen_deadline = request->deadline;
    seen_received = request->timeline.received;
    AnswerIdentity(std::move(request));
  });
  const TimePoint before = Clock::now();
  const TimePoint deadline = before + std::chrono::seconds(5);
  Parse(*env.CallWithBytes("ModelInfer", IdentityRequest().SerializeAsString(), {}, deadline));
  EXPECT_EQ(seen_deadline, deadline);
  EXPECT_GE(seen_received, before);
}

TEST(HandleModelInfer, ForwardsMatchingMetadata) {
  RpcTestEnvironment env("^x-");
  Parameters seen;
  env.server.Add(IdentityConfig(), 1, [&](std::unique_ptr<InferRequest> request) {
    seen = request->parameters;
    AnswerIdentity(std::move(request));
  });
  Parse(*env.Call("ModelInfer", IdentityRequest(), {{"x-user", "ann"}, {"other", "no"}}));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].name, "x-user");
  EXPECT_EQ(seen[0].value, ParameterValue(std::string("ann")));
}

TEST(HandleModelInfer, RefusesReservedMetadata) {
  RpcTestEnvironment env(".*");
  env.server.Add(IdentityConfig());
  ExpectFailure(*env.Call("ModelInfer", IdentityRequest(), {{"triton_x", "1"}}),
                absl::StatusCode::kInvalidArgument,
                "Header 'triton_x' is reserved for Triton usage and cannot be forwarded.");
}

// The order of the protocol's checks: version, model, parameters, names, data.
TEST(HandleModelInfer, ReportsTheFirstFailure) {
  RpcTestEnvironment env;
  inference::ModelInferRequest request = IdentityRequest();
  request.clear_raw_input_contents();
  *request.add_inputs() = request.inputs(0);
  (*request.mutable_parameters())["priority"].set_bool_param(true);
  request.set_model_version("-3");
  const auto invalid = absl::StatusCode::kInvalidArgument;
  ExpectFailure(*env.Call("ModelInfer", request), invalid,
                "invalid model version specified '-3' , version should be an integral value > 0");
  request.clear_model_version();
  ExpectFailure(*env.Call("ModelInfer", request), absl::StatusCode::kNotFound,
                "Request for unknown model: 'identity' is not found");
  env.server.Add(IdentityConfig());
  ExpectFailure(*env.Call("ModelInfer", request), invalid,
                "invalid value type for 'priority' parameter, expected int64_param or "
                "uint64_param.");
  request.clear_parameters();
  ExpectFailure(*env.Call("ModelInfer", request), invalid,
                "[request id: r1] input 'INPUT0' already exists in request");
  request.mutable_inputs()->RemoveLast();
  ExpectFailure(*env.Call("ModelInfer", request), invalid,
                "unable to find data for input tensor 'INPUT0' for model 'identity' in request.");
  request.add_raw_input_contents("abc");
  ExpectFailure(*env.Call("ModelInfer", request), invalid,
                "[request id: r1] input byte size mismatch for input 'INPUT0' for model "
                "'identity'. Expected 8, got 3");
}

TEST(HandleModelInfer, RefusesMalformedMessages) {
  RpcTestEnvironment env;
  ExpectFailure(*env.CallWithBytes("ModelInfer", "\x0a\x7f"), absl::StatusCode::kInvalidArgument,
                "failed to parse the ModelInferRequest message: its encoding is broken");
}

TEST(HandleModelInfer, RefusesDecoupledModels) {
  RpcTestEnvironment env;
  env.server.Add(testing::ConfigFromText(
      "name: 'identity' backend: 'x' model_transaction_policy { decoupled: true }"));
  ExpectFailure(*env.Call("ModelInfer", IdentityRequest()), absl::StatusCode::kUnimplemented,
                "ModelInfer RPC doesn't support models with decoupled transaction policy");
}

TEST(HandleModelInfer, PassesErrorsOfTheServerOn) {
  RpcTestEnvironment env;
  env.server.Add(IdentityConfig());
  env.server.infer_status = absl::UnavailableError("Server exiting");
  ExpectFailure(*env.Call("ModelInfer", IdentityRequest()), absl::StatusCode::kUnavailable,
                "Server exiting");
}

TEST(HandleModelInfer, Classifies) {
  RpcTestEnvironment env;
  env.server.Add(IdentityConfig());
  inference::ModelInferRequest request = IdentityRequest(3);
  const float values[] = {1, 3.5f, 2};
  std::memcpy(request.mutable_raw_input_contents(0)->data(), values, sizeof(values));
  auto* output = request.add_outputs();
  output->set_name("OUTPUT0");
  (*output->mutable_parameters())["classification"].set_int64_param(2);
  const auto response = Parse(*env.Call("ModelInfer", request));
  EXPECT_EQ(response.outputs(0).datatype(), "BYTES");
  ASSERT_EQ(response.outputs(0).shape_size(), 2);
  EXPECT_EQ(response.outputs(0).shape(1), 2);
  EXPECT_EQ(response.raw_output_contents(0), std::string("\x0a\0\0\0"
                                                         "3.500000:1"
                                                         "\x0a\0\0\0"
                                                         "2.000000:2",
                                                         28));
}

// What a backend sends, and what the one caller is told.
std::shared_ptr<RpcOutcome> AnswerWith(
    const std::function<void(std::unique_ptr<InferRequest>)>& behaviour) {
  RpcTestEnvironment env;
  env.server.Add(IdentityConfig(), 1, behaviour);
  return env.Call("ModelInfer", IdentityRequest());
}

TEST(GrpcSink, TakesOneResponseHoweverItIsMarkedFinal) {
  const auto outcome = AnswerWith([](std::unique_ptr<InferRequest> request) {
    request->Respond(InferResponse(), false);
    request->Finish();
  });
  EXPECT_EQ(Parse(*outcome).id(), "r1");
}

TEST(GrpcSink, RefusesNoResponseAndSeveral) {
  const auto none = AnswerWith([](std::unique_ptr<InferRequest> request) { request->Finish(); });
  ExpectFailure(*none, absl::StatusCode::kInternal, "expected a single response, got 0");
  const auto two = AnswerWith([](std::unique_ptr<InferRequest> request) {
    request->Respond(InferResponse(), false);
    request->Respond(InferResponse(), true);
  });
  ExpectFailure(*two, absl::StatusCode::kInternal, "expected a single response, got 2");
}

TEST(GrpcSink, ReportsAnErrorThatFollowsAResponse) {
  const auto outcome = AnswerWith([](std::unique_ptr<InferRequest> request) {
    request->Respond(InferResponse(), false);
    request->Fail(absl::InternalError("lost the device"));
  });
  ExpectFailure(*outcome, absl::StatusCode::kInternal, "lost the device");
}

TEST(GrpcSink, AnswersForARequestThatIsDropped) {
  const auto outcome = AnswerWith([](std::unique_ptr<InferRequest>) {});
  ExpectFailure(*outcome, absl::StatusCode::kInternal, "the request was dropped without an answer");
}

TEST(RpcCallHandle, AnswersForACallThatIsDropped) {
  auto [call, outcome] = FakeRpcCall::Make("");
  { const RpcCallHandle dropped = std::move(call); }
  ExpectFailure(*outcome, absl::StatusCode::kInternal, "the call was dropped without an answer");
}

}  // namespace
}  // namespace nereid
