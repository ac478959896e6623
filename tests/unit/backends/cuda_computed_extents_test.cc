#include "cuda_fixture.h"

namespace nereid {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::FindOutput;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::PlacingSink;
using testing::RequestBuilder;
using testing::ValuesOf;
namespace onnx = engine::onnx;

constexpr int kOutOfResources = 701;  // what the driver calls it

// Models whose extents depend on data: all that they do runs on the host, so that results are real
// although kernels do nothing here.

std::string WithX(const std::string& nodes, const std::vector<int64_t>& x_dims, int64_t y_type,
                  const std::vector<int64_t>& y_dims) {
  return onnx::Model(nodes + onnx::WithInput(onnx::Info("X", 1, x_dims)) +
                         onnx::WithOutput(onnx::Info("Y", y_type, y_dims)),
                     17);
}
std::string N(const std::string& op, const std::vector<std::string>& inputs,
              const std::vector<std::string>& outputs, const std::string& name = "") {
  return onnx::WithNode(onnx::Node(op, inputs, outputs, "", "", name));
}

// Y: where X, of rows of 2, is not 0.
std::string WhereNotZero() { return WithX(N("NonZero", {"X"}, {"Y"}, "nz"), {-1, 2}, 7, {-1, -1}); }

// Y = X + how many different numbers there are in all of X.
std::string PlusCount() {
  return WithX(
      N("Unique", {"X"}, {"u"}, "different") + N("Shape", {"u"}, {"s"}) +
          onnx::WithNode(onnx::Node("Cast", {"s"}, {"c"}, onnx::Attribute("to", int64_t{1}))) +
          N("Add", {"X", "c"}, {"Y"}, "add"),
      {-1, 2}, 1, {-1, 2});
}

// Y: the places of the three numbers that are not 0, which there have to be.
std::string ThreePlaces() {
  return WithX(N("NonZero", {"X"}, {"n"}, "nz") +
                   onnx::WithConstant(onnx::Int64Tensor("shape", {3})) +
                   N("Reshape", {"n", "shape"}, {"Y"}, "three"),
               {4}, 7, {-1});
}

class CudaComputedExtents : public testing::CudaTest {
 protected:
  static std::string Config(const std::string& x_dims, const std::string& y_type,
                            const std::string& y_dims, int max_batch_size = 0,
                            const std::string& more = "") {
    return StrCat("name: \"m\" backend: \"cuda\" max_batch_size: ", max_batch_size,
                  " input { name: \"X\" data_type: TYPE_FP32 dims: ", x_dims,
                  " } output { name: \"Y\" data_type: ", y_type, " dims: ", y_dims, " } ",
                  Parameter("precision", "fp32"), more);
  }

  struct Answer {
    absl::Status status;
    Shape shape;
    Payload data;
  };
  Answer Ask(RequestBuilder& request) {
    Batch batch;
    auto record = request.record();
    batch.Add(request.Build());
    return Execute(batch, record);
  }
  Answer Execute(Batch& batch, const std::shared_ptr<testing::SinkRecord>& record) {
    Answer answer;
    answer.status = GuardedExecute(*instance_, batch);
    if (batch.Has(0) && !batch.request(0).answered()) batch.request(0).Fail(answer.status);
    const auto responses = record->responses();
    if (responses.size() != 1 || !responses[0].status.ok()) return answer;
    const OutputTensor* output = FindOutput(responses[0], "Y");
    if (output == nullptr) return answer;
    answer.shape = output->shape;
    answer.data = output->data;
    return answer;
  }
  Answer Ask(const Shape& shape, const std::vector<float>& values) {
    RequestBuilder request(config_);
    request.Input("X", DataType::kFp32, shape, values);
    return Ask(request);
  }
};

TEST_F(CudaComputedExtents, AnswersHaveTheExtentsThatTheirDataMakes) {
  WriteModel(WhereNotZero());
  ASSERT_TRUE(LoadOne(Config("[ -1, 2 ]", "TYPE_INT64", "[ -1, -1 ]")).ok());
  const struct {
    std::vector<float> x;
    Shape shape;
    std::vector<int64_t> places;
  } rows[] = {{{0, 5, 0, 0, 7, 0}, {2, 2}, {0, 2, 1, 0}},
              {{0, 0, 0, 0, 0, 0}, {2, 0}, {}},
              {{1, 1, 1, 1, 1, 1}, {2, 6}, {0, 0, 1, 1, 2, 2, 0, 1, 0, 1, 0, 1}},
              {{0, 0, 0, 1, 0, 0}, {2, 1}, {1, 1}}};
  for (const auto& row : rows) {
    const Answer answer = Ask({3, 2}, row.x);
    ASSERT_TRUE(answer.status.ok()) << answer.status;
    EXPECT_EQ(answer.shape, row.shape);
    EXPECT_EQ(ValuesOf<int64_t>(answer.data), row.places);
  }
}

TEST_F(CudaComputedExtents, BatchesAreNotPadded) {
  WriteModel(PlusCount());
  ASSERT_TRUE(LoadOne(Config("2", "TYPE_FP32", "2", 8)).ok());
  // Rows that a batch of 3 were padded with would bring in a 0.
  Answer answer = Ask({3, 2}, {1, 2, 1, 2, 1, 2});
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_THAT(ValuesOf<float>(answer.data), ElementsAre(3, 4, 3, 4, 3, 4));
  answer = Ask({1, 2}, {4, 4});
  EXPECT_THAT(ValuesOf<float>(answer.data), ElementsAre(5, 5));
  answer = Ask({5, 2}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  EXPECT_THAT(ValuesOf<float>(answer.data), ::testing::Each(2.0F));
}

TEST_F(CudaComputedExtents, RequestsOfABatchGetTheirRows) {
  WriteModel(PlusCount());
  ASSERT_TRUE(LoadOne(Config("2", "TYPE_FP32", "2", 8)).ok());
  Batch batch;
  std::vector<std::shared_ptr<testing::SinkRecord>> records;
  for (const float number : {1.0F, 2.0F}) {
    RequestBuilder request(config_);
    request.Input("X", DataType::kFp32, {1, 2}, std::vector<float>{number, number});
    records.push_back(request.record());
    batch.Add(request.Build());
  }
  ASSERT_TRUE(GuardedExecute(*instance_, batch).ok());
  for (size_t i = 0; i < records.size(); ++i) {
    const auto responses = records[i]->responses();
    ASSERT_EQ(responses.size(), 1u);
    const float number = static_cast<float>(i) + 3;
    EXPECT_THAT(ValuesOf<float>(FindOutput(responses[0], "Y")->data), ElementsAre(number, number));
  }
}

TEST_F(CudaComputedExtents, AnOutputWithoutTheBatchIsRefused) {
  WriteModel(WhereNotZero());
  ASSERT_TRUE(LoadOne(Config("2", "TYPE_INT64", "-1", 8)).ok());
  const Answer answer = Ask({3, 2}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(answer.status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(Message(answer.status)),
              HasSubstr("output 'Y' has shape [2,6] for a batch of 3: the model does not batch"));
  EXPECT_TRUE(instance_->Healthy());
}

TEST_F(CudaComputedExtents, BadDataIsAnsweredByNameAndTheInstanceGoesOn) {
  WriteModel(ThreePlaces());
  // The zeros it is warmed up with make no sense to it either.
  const absl::Status loaded = LoadOne(Config("4", "TYPE_INT64", "-1"));
  ASSERT_TRUE(loaded.ok()) << loaded;
  for (int round = 0; round < 3; ++round) {
    const Answer bad = Ask({4}, {0, 1, 0, 2});
    EXPECT_EQ(bad.status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(Message(bad.status)), HasSubstr("Reshape 'three'"));
    EXPECT_TRUE(instance_->Healthy());
    const Answer good = Ask({4}, {0, 1, 3, 2});
    ASSERT_TRUE(good.status.ok()) << good.status;
    EXPECT_THAT(ValuesOf<int64_t>(good.data), ElementsAre(1, 2, 3));
  }
}

TEST_F(CudaComputedExtents, StrictModelsAreRefusedByNodeAndOperator) {
  WriteModel(ThreePlaces());
  const absl::Status status =
      LoadOne(Config("4", "TYPE_INT64", "-1", 0, Parameter("strict", "true")));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(Message(status)),
              AllOf(HasSubstr("NonZero 'nz' makes a tensor whose extents depend on data"),
                    HasSubstr("strict")));
}

TEST_F(CudaComputedExtents, StrictModelsAreRefusedBeforeTheirExtentsAreKnown) {
  const struct {
    std::string model, config, node;
  } rows[] = {
      {WhereNotZero(), Config("[ -1, 2 ]", "TYPE_INT64", "[ -1, -1 ]", 0, Parameter("strict", "1")),
       "NonZero 'nz'"},
      {WithX(N("Det", {"X"}, {"Y"}, "det"), {-1, -1, -1}, 1, {-1}),
       Config("[ -1, -1, -1 ]", "TYPE_FP32", "-1", 0, Parameter("strict", "1")), "Det 'det'"},
      {WithX(N("Softmax", {"X"}, {"Y"}, "soft"), {-1, -1}, 1, {-1, -1}),
       Config("[ -1, -1 ]", "TYPE_FP32", "[ -1, -1 ]", 0, Parameter("strict", "1")), ""}};
  for (const auto& row : rows) {
    WriteModel(row.model);
    const absl::Status status = LoadModel(row.config).status();
    if (row.node.empty()) {
      EXPECT_TRUE(status.ok()) << status;
      continue;
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << status;
    EXPECT_THAT(std::string(Message(status)), AllOf(HasSubstr(row.node), HasSubstr("strict")));
  }
}

TEST_F(CudaComputedExtents, OperatorsThatNothingRunsAreRefusedAtLoad) {
  const std::string body = onnx::WithNode(onnx::Node("Guess", {"X"}, {"g"}, "", "acme", "inner")) +
                           onnx::WithOutput(onnx::Info("g", 1, {-1}));
  const std::string branches =
      onnx::GraphAttribute("then_branch", body) + onnx::GraphAttribute("else_branch", body);
  const struct {
    std::string nodes, refused;
  } rows[] = {
      {onnx::WithNode(onnx::Node("Guess", {"X"}, {"Y"}, "", "acme", "who")), "acme.Guess 'who'"},
      {N("ReduceSum", {"X"}, {"s"}) +
           onnx::WithNode(onnx::Node("Cast", {"s"}, {"c"}, onnx::Attribute("to", int64_t{9}))) +
           onnx::WithNode(onnx::Node("If", {"c"}, {"Y"}, branches, "", "if")),
       "acme.Guess 'inner'"}};
  for (const auto& row : rows) {
    WriteModel(WithX(row.nodes, {-1}, 1, {-1}));
    const absl::Status status = LoadModel(Config("-1", "TYPE_FP32", "-1")).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << status;
    EXPECT_THAT(std::string(Message(status)), HasSubstr(row.refused + " is not supported"));
  }
}

TEST_F(CudaComputedExtents, StepsOnTheHostAreCountedAndWarnedOfOnce) {
  WriteModel(PlusCount());
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(LoadOne(Config("2", "TYPE_FP32", "2", 8)).ok());
  ASSERT_TRUE(Ask({1, 2}, {1, 2}).status.ok());
  ASSERT_TRUE(Ask({3, 2}, {1, 2, 3, 4, 5, 6}).status.ok());
  const std::string log = ::testing::internal::GetCapturedStderr();
  const std::string warning =
      "Unique 'different' makes a tensor whose extents depend on data; nodes that run on the host, "
      "slowly: 4";
  const size_t first = log.find(warning);
  EXPECT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find(warning, first + 1), std::string::npos) << log;
  EXPECT_THAT(MetricsText(), HasSubstr("nereid_cuda_host_steps{model=\"m\"} 8\n"));
}

TEST_F(CudaComputedExtents, WhatTheDeviceFailsIsNotTakenForBadData) {
  WriteModel(ThreePlaces());
  ASSERT_TRUE(LoadOne(Config("4", "TYPE_INT64", "-1")).ok());
  fake_.Fail("cuMemcpyDtoHAsync", kOutOfResources);
  const Answer answer = Ask({4}, {0, 1, 3, 2});
  EXPECT_EQ(answer.status.code(), absl::StatusCode::kInternal) << answer.status;
  EXPECT_THAT(std::string(Message(answer.status)), HasSubstr("cuMemcpyDtoHAsync"));
  EXPECT_FALSE(instance_->Healthy());
}

TEST_F(CudaComputedExtents, TheirMemoryIsEstimated) {
  WriteModel(PlusCount());
  config_ = *testing::NormalizedConfig(Config("2", "TYPE_FP32", "2", 8));
  auto backend = GetBackend("cuda");
  ASSERT_TRUE(backend.ok()) << backend.status();
  const auto estimate = GuardedEstimateMemory(**backend, Context(config_, InstanceKind::kGpu));
  ASSERT_TRUE(estimate.ok()) << estimate.status();
  EXPECT_FALSE(estimate->items.empty());
}

TEST_F(CudaComputedExtents, OutputsGoToGpuMemoryWhereItIsWanted) {
  WriteModel(WhereNotZero());
  ASSERT_TRUE(LoadOne(Config("[ -1, 2 ]", "TYPE_INT64", "[ -1, -1 ]")).ok());
  RequestBuilder builder(config_);
  builder.Input("X", DataType::kFp32, {2, 2}, std::vector<float>{0, 1, 0, 0});
  auto record = builder.record();
  auto request = builder.Build();
  request->WrapSink([&](std::unique_ptr<ResponseSink> sink) {
    return std::make_unique<PlacingSink>(std::move(sink), MemoryPlace{MemoryKind::kGpu, 0},
                                         [this](size_t size) { return fake_.Allocate(size); });
  });
  Batch batch;
  batch.Add(std::move(request));
  const Answer answer = Execute(batch, record);
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(answer.data.place().kind, MemoryKind::kGpu);
  EXPECT_THAT(ValuesOf<int64_t>(answer.data), ElementsAre(0, 1));
}

TEST_F(CudaComputedExtents, StringsComeInAndGoOut) {
  WriteModel(onnx::Model(N("StringConcat", {"X", "X"}, {"Y"}, "twice") +
                             onnx::WithInput(onnx::Info("X", 8, {-1, 1})) +
                             onnx::WithOutput(onnx::Info("Y", 8, {-1, 1})),
                         20));
  const absl::Status loaded = LoadOne(
      StrCat("name: \"m\" backend: \"cuda\" max_batch_size: 8 input { name: \"X\" data_type: "
             "TYPE_STRING dims: 1 } output { name: \"Y\" data_type: TYPE_STRING dims: 1 }"));
  ASSERT_TRUE(loaded.ok()) << loaded;
  RequestBuilder request(config_);
  request.Input("X", DataType::kBytes, {3, 1}, std::vector<std::string>{"ab", "", "c"});
  const Answer answer = Ask(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(testing::BytesOf(answer.data),
            testing::BytesOf(std::vector<std::string>{"abab", "", "cc"}));
  RequestBuilder few(config_);
  few.Input("X", DataType::kBytes, {3, 1}, std::vector<std::string>{"ab"});
  EXPECT_EQ(Ask(few).status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(instance_->Healthy());
}

}  // namespace
}  // namespace nereid
