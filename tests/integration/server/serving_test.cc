// The whole server in one process: what the sanitizers shall see of clients that leave, models that
// come and go, and modules that break the rules.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "integration/server/serving_fixture.h"
#include "proto/grpc_service.pb.h"
#include "unit/frontend/grpc/grpc_test_client.h"

namespace nereid::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class Serving : public ServingFixture {
 protected:
  grpc::Status GrpcInfer(const std::string& model, milliseconds patience = milliseconds(20'000)) {
    GrpcTestClient client(grpc_->port());
    inference::ModelInferRequest request;
    request.set_model_name(model);
    inference::ModelInferRequest::InferInputTensor* input = request.add_inputs();
    input->set_name("INPUT0");
    input->set_datatype("INT32");
    for (const int64_t extent : {1, 3}) input->add_shape(extent);
    request.add_raw_input_contents(std::string(12, '\1'));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + patience);
    inference::ModelInferResponse response;
    const grpc::Status status = client.Call("ModelInfer", request, &response, &context);
    if (response.raw_output_contents_size() > 0) {
      EXPECT_EQ(response.raw_output_contents(0), std::string(12, '\1'));
    }
    return status;
  }

  // Polls: these are counts of threads that cannot be waited for.
  static bool Eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 4000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(milliseconds(5));
    }
    return false;
  }
};

// Runs `infer` on several threads until destroyed.
class Traffic {
 public:
  Traffic(int threads, const std::function<void()>& infer) {
    for (int i = 0; i < threads; ++i) {
      threads_.emplace_back([this, infer] {
        while (!stop_) infer();
      });
    }
  }
  ~Traffic() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

TEST_F(Serving, BothProtocolsReachTheModel) {
  WriteModel("m", {});
  ASSERT_NO_FATAL_FAILURE(Start());
  const auto [status, body] = HttpInfer("m");
  EXPECT_EQ(status, 200) << body;
  EXPECT_THAT(body, HasSubstr(std::string(kEcho)));
  EXPECT_TRUE(GrpcInfer("m").ok());
  EXPECT_EQ(StatisticsOf("m").success.count, 2u);
  EXPECT_THAT(core_->metrics().Text(),
              HasSubstr("nv_inference_request_success{model=\"m\",version=\"1\"} 2"));
}

TEST_F(Serving, ReloadsFailNoRequestAndKeepDistributions) {
  WriteModel("m", {.extra = "dynamic_batching {}"});
  options_.metrics.summary_latencies = true;
  options_.metrics.histogram_latencies = true;
  ASSERT_NO_FATAL_FAILURE(Start());
  std::atomic<int> failed{0}, answered{0};
  {
    const Traffic traffic(4, [&] {
      const bool ok = answered % 2 == 0 ? HttpInfer("m").first == 200 : GrpcInfer("m").ok();
      ++(ok ? answered : failed);
    });
    for (int turn = 1; turn <= 20; ++turn) {
      WriteModel("m", {.max_batch_size = 8 + turn, .extra = "dynamic_batching {}"});
      ASSERT_TRUE(Load("m").ok());
      EXPECT_THAT(core_->metrics().Text(), HasSubstr("nv_inference_request_summary_us"));
    }
  }
  EXPECT_EQ(failed, 0);
  EXPECT_GT(answered, 20);
}

TEST_F(Serving, AReloadThatFailsLeavesTheOldOneServing) {
  WriteModel("m", {});
  ASSERT_NO_FATAL_FAILURE(Start());
  repository_.Write("m/config.pbtxt", "backend: [");
  EXPECT_FALSE(Load("m").ok());
  EXPECT_EQ(HttpInfer("m").first, 200);
}

TEST_F(Serving, LoadsAndUnloadsUnderTrafficEndInAnswers) {
  WriteModel("m", {.delay_ms = 1});
  ASSERT_NO_FATAL_FAILURE(Start());
  std::atomic<int> strange{0};
  {
    const Traffic traffic(4, [&] {
      const int status = HttpInfer("m").first;
      if (status != 200 && status != 404 && status != 503) ++strange;
    });
    for (int turn = 0; turn < 30; ++turn) {
      ASSERT_TRUE(Unload("m").ok());
      ASSERT_TRUE(Load("m").ok());
    }
  }
  EXPECT_EQ(strange, 0);
  EXPECT_EQ(HttpInfer("m").first, 200);
}

TEST_F(Serving, ClientsThatLeaveAreForgotten) {
  WriteModel("m", {.max_batch_size = 1, .delay_ms = 50, .extra = "dynamic_batching {}"});
  ASSERT_NO_FATAL_FAILURE(Start());
  for (int round = 0; round < 3; ++round) {
    std::vector<std::unique_ptr<RawHttpClient>> clients;
    for (int i = 0; i < 20; ++i) {
      clients.push_back(std::make_unique<RawHttpClient>(http_->port()));
      // Every third one leaves in the middle of what it sends.
      const std::string text = InferRequestText("m");
      clients.back()->Send(i % 3 == 0 ? text.substr(0, 20 + 5 * static_cast<size_t>(i)) : text);
    }
    for (size_t i = 0; i < clients.size(); ++i)
      i % 2 == 0 ? clients[i]->Reset() : clients[i]->Close();
  }
  EXPECT_TRUE(Eventually([&] { return StatisticsOf("m").pending == 0; }));
  EXPECT_EQ(HttpInfer("m").first, 200);
  EXPECT_GT(StatisticsOf("m").failures[static_cast<size_t>(FailureReason::kCanceled)], 0u);
}

TEST_F(Serving, DeadlinesThatPassInTheQueueAreKept) {
  WriteModel("m", {.max_batch_size = 1, .delay_ms = 200});
  ASSERT_NO_FATAL_FAILURE(Start());
  std::thread first([&] { EXPECT_TRUE(GrpcInfer("m").ok()); });
  EXPECT_TRUE(Eventually([&] { return grpc_->InFlight() == 1; }));
  EXPECT_EQ(GrpcInfer("m", milliseconds(30)).error_code(), grpc::DEADLINE_EXCEEDED);
  first.join();
  EXPECT_TRUE(Eventually([&] { return grpc_->InFlight() == 0; }));
}

TEST_F(Serving, FaultsOfAModuleStayItsOwn) {
  const std::vector<std::string> faults = {
      "throws",        "throws_number", "is_silent",           "drops",
      "answers_twice", "never_ends",    "sends_two",           "fails_in_the_middle",
      "huge_shape",    "too_few_bytes", "not_strings",         "no_name",
      "no_outputs",    "device_memory", "asks_for_all_memory", "dies"};
  for (const std::string& fault : faults) {
    WriteModel(fault, {.backend = "nonsense", .fault = fault});
  }
  WriteModel("sound", {});
  ASSERT_NO_FATAL_FAILURE(Start());
  for (const std::string& fault : faults) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_NE(HttpInfer(fault).first, 0) << fault;
      EXPECT_NE(GrpcInfer(fault).error_code(), grpc::DEADLINE_EXCEEDED) << fault;
    }
  }
  EXPECT_EQ(HttpInfer("sound").first, 200);
}

TEST_F(Serving, DrainingAnswersWhatIsInFlight) {
  WriteModel("m", {.delay_ms = 100});
  ASSERT_NO_FATAL_FAILURE(Start());
  RawHttpClient waiting(http_->port());
  waiting.Send(InferRequestText("m"));
  std::thread call([&] { EXPECT_TRUE(GrpcInfer("m").ok()); });
  EXPECT_TRUE(Eventually([&] { return grpc_->InFlight() == 1; }));
  EXPECT_TRUE(http_->Drain(milliseconds(10'000)));
  EXPECT_TRUE(grpc_->Drain(Clock::now() + std::chrono::seconds(10)));
  EXPECT_TRUE(core_->server().Stop(std::chrono::seconds(10)).ok());
  call.join();
  const auto response = waiting.ReadResponse();
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(HttpInfer("m").first, 0) << "nobody listens any more";
}

TEST_F(Serving, StoppingDoesNotWaitForTheCompanyARequestWaitsFor) {
  WriteModel("m", {.extra = "dynamic_batching { max_queue_delay_microseconds: 3600000000 }"});
  ASSERT_NO_FATAL_FAILURE(Start());
  RawHttpClient waiting(http_->port());
  waiting.Send(InferRequestText("m"));
  EXPECT_TRUE(Eventually([&] { return StatisticsOf("m").pending == 1; }));
  EXPECT_TRUE(core_->server().Stop(std::chrono::seconds(20)).ok());
  const auto response = waiting.ReadResponse();
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status, 200);
}

TEST_F(Serving, ARequestThatIsCancelledWhileItWaitsForCompanyIsForgotten) {
  WriteModel("m", {.extra = "dynamic_batching { max_queue_delay_microseconds: 3600000000 }"});
  ASSERT_NO_FATAL_FAILURE(Start());
  {
    RawHttpClient waiting(http_->port());
    waiting.Send(InferRequestText("m"));
    EXPECT_TRUE(Eventually([&] { return StatisticsOf("m").pending == 1; }));
  }
  EXPECT_TRUE(Eventually([&] { return StatisticsOf("m").pending == 0; }));
  EXPECT_EQ(StatisticsOf("m").failures[static_cast<size_t>(FailureReason::kCanceled)], 1u);
}

TEST_F(Serving, TearingDownUnderTrafficHarmsNothing) {
  WriteModel("m", {.delay_ms = 5});
  ASSERT_NO_FATAL_FAILURE(Start());
  std::atomic<int> answered{0};
  const Traffic traffic(4, [&] {
    HttpInfer("m");
    ++answered;
  });
  EXPECT_TRUE(Eventually([&] { return answered > 20; }));
  http_->Shutdown();
  EXPECT_TRUE(core_->server().Stop(std::chrono::seconds(10)).ok());
}

}  // namespace
}  // namespace nereid::testing
