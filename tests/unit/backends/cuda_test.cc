#include "cuda_fixture.h"

namespace nereid {
namespace {

using testing::AddModel;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::HostModel;
using testing::PlacingSink;
using testing::RequestBuilder;
using testing::ValuesOf;

// What the driver calls them.
constexpr int kIllegalAddress = 700;
constexpr int kOutOfResources = 701;

constexpr MemoryPlace kGpu0{MemoryKind::kGpu, 0};

class CudaBackendTest : public testing::CudaTest {
 protected:
  // Where the next backend says that it needs a new process.
  void TellWhenLost(std::vector<std::string>* reasons) {
    WhenNewProcessIsNeeded(
        [reasons](std::string reason) { reasons->push_back(std::move(reason)); });
  }
};

TEST_F(CudaBackendTest, AThousandCyclesLeaveNothing) {
  constexpr int64_t kWidth = 64;
  WriteModel(AddModel(kWidth));
  uint64_t peak = 0;
  for (int cycle = 0; cycle < 1000; ++cycle) {
    ASSERT_TRUE(LoadOne(ConfigText(kWidth)).ok());
    for (const int64_t rows : {1, 3, 8, 8}) {
      ASSERT_TRUE(Infer(*instance_, rows, kWidth).ok());
    }
    ASSERT_GT(UsedOn(0), 0u);
    instance_.reset();
    model_.reset();
    ASSERT_EQ(UsedOn(0), 0u) << cycle;
    ASSERT_EQ(fake_.state().pinned_bytes, 0u) << cycle;
    if (cycle == 0) peak = fake_.state().peak_bytes[0];
    ASSERT_EQ(fake_.state().peak_bytes[0], std::max(peak, before_.peak_bytes[0])) << cycle;
  }
  ExpectNothingLeft();
}

TEST_F(CudaBackendTest, InstancesOfAModelShareItsWeights) {
  constexpr int64_t kWidth = 100'000;
  WriteModel(AddModel(kWidth));
  ASSERT_TRUE(LoadOne(ConfigText(kWidth, "", 1)).ok());
  const uint64_t one = UsedOn(0);
  auto second = MakeOn(*model_);
  ASSERT_TRUE(second.ok()) << second.status();
  const uint64_t both = UsedOn(0);
  EXPECT_GE(one, 3 * 4 * kWidth);                  // weight, input, output
  EXPECT_LT(both - one, one - 4 * kWidth + 4096);  // of the second: all but the weight
  EXPECT_TRUE(Infer(*instance_, 1, kWidth).ok());
  EXPECT_TRUE(Infer(**second, 1, kWidth).ok());
  instance_.reset();
  EXPECT_TRUE(Infer(**second, 1, kWidth).ok());
  EXPECT_NEAR(UsedOn(0), one, 4096);
}

TEST_F(CudaBackendTest, ModelsShareAGpu) {
  constexpr int64_t kWidth = 1000;
  WriteModel(AddModel(kWidth));
  ASSERT_TRUE(LoadOne(ConfigText(kWidth)).ok());
  auto other = LoadModel(ConfigText(kWidth));
  ASSERT_TRUE(other.ok()) << other.status();
  auto instance = MakeOn(**other);
  ASSERT_TRUE(instance.ok()) << instance.status();
  EXPECT_TRUE(Infer(*instance_, 8, kWidth).ok());
  EXPECT_TRUE(Infer(**instance, 8, kWidth).ok());
  instance_.reset();
  model_.reset();
  EXPECT_GT(UsedOn(0), 0u);
  EXPECT_TRUE(Infer(**instance, 8, kWidth).ok());
}

TEST_F(CudaBackendTest, InstancesLieOnTheirGpus) {
  constexpr int64_t kWidth = 1000;
  WriteModel(AddModel(kWidth));
  auto model = LoadModel(ConfigText(kWidth));
  ASSERT_TRUE(model.ok()) << model.status();
  auto second = MakeOn(**model, 1);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(UsedOn(0), 0u);
  EXPECT_GT(UsedOn(1), 0u);
  auto first = MakeOn(**model, 0);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(UsedOn(0), UsedOn(1));
  EXPECT_TRUE(Infer(**first, 2, kWidth).ok());
  EXPECT_TRUE(Infer(**second, 2, kWidth).ok());
  EXPECT_EQ(UsageOn(**model, kGpu0), UsageOn(**model, {MemoryKind::kGpu, 1}));
  const auto third = MakeOn(**model, 2);
  EXPECT_EQ(third.status().code(), absl::StatusCode::kNotFound) << third.status();
  EXPECT_THAT(std::string(Message(third.status())), HasSubstr("the machine has 2"));
}

TEST_F(CudaBackendTest, ARejectedLaunchCostsTheInstanceOnly) {
  constexpr int64_t kWidth = 64;
  WriteModel(AddModel(kWidth));
  ASSERT_TRUE(LoadOne(ConfigText(kWidth, Parameter("graphs", "false"))).ok());
  auto other = MakeOn(*model_);
  ASSERT_TRUE(other.ok());
  fake_.Fail("cuLaunchKernel", kOutOfResources);
  const absl::Status status = Infer(*instance_, 1, kWidth);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(Message(status)),
              AllOf(HasSubstr("GPU 0: "), HasSubstr("add"),
                    HasSubstr("cuLaunchKernel: CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES")));
  EXPECT_FALSE(instance_->Healthy());
  EXPECT_TRUE((*other)->Healthy());
  EXPECT_TRUE(Infer(**other, 1, kWidth).ok());
  instance_.reset();
  auto replacement = MakeOn(*model_);
  ASSERT_TRUE(replacement.ok()) << replacement.status();
  EXPECT_TRUE(Infer(**replacement, 1, kWidth).ok());
  EXPECT_FALSE(fake_.state().lost);
  EXPECT_THAT(MetricsText(), HasSubstr("nereid_cuda_device_failures{model=\"m\"} 1\n"));
}

TEST_F(CudaBackendTest, AGpuThatHasFailedEndsAllWorkOnGpus) {
  Alone([this] {
    constexpr int64_t kWidth = 64;
    std::vector<std::string> reasons;
    TellWhenLost(&reasons);
    WriteModel(AddModel(kWidth));
    ASSERT_TRUE(LoadOne(ConfigText(kWidth, Parameter("graphs", "false"))).ok());
    auto sibling = MakeOn(*model_);
    auto elsewhere = MakeOn(*model_, 1);
    ASSERT_TRUE(sibling.ok() && elsewhere.ok());
    EXPECT_TRUE(reasons.empty());

    fake_.Fail("cuLaunchKernel", kIllegalAddress);
    const absl::Status status = Infer(*instance_, 1, kWidth);
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(std::string(Message(status)), HasSubstr("CUDA_ERROR_ILLEGAL_ADDRESS"));
    // Everybody knows, without having met the error.
    EXPECT_FALSE(instance_->Healthy());
    EXPECT_FALSE((*sibling)->Healthy());
    EXPECT_FALSE((*elsewhere)->Healthy());
    EXPECT_TRUE(absl::IsUnavailable(Infer(**elsewhere, 1, kWidth)));

    instance_.reset();
    sibling->reset();
    elsewhere->reset();
    const std::string reason =
        "GPU 0 has failed (cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS); CUDA gives this "
        "process nothing more until it is restarted";
    for (const int device : {0, 1}) {
      const absl::Status refused = MakeOn(*model_, device).status();
      EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
      EXPECT_THAT(std::string(Message(refused)), HasSubstr(reason));
    }
    EXPECT_THAT(reasons, ElementsAre(reason));
  });
}

TEST_F(CudaBackendTest, AGpuThatFailsDuringALoadIsFoundOut) {
  for (const char* function : {"cuLaunchKernel", "cuMemAlloc", "cuMemHostAlloc", "cuModuleLoadData",
                               "cuStreamCreateWithPriority", "cuDevicePrimaryCtxRetain"}) {
    Alone([&] {
      constexpr int64_t kWidth = 64;
      std::vector<std::string> reasons;
      TellWhenLost(&reasons);
      WriteModel(AddModel(kWidth));
      fake_.Fail(function, kIllegalAddress);
      const absl::Status status = LoadOne(ConfigText(kWidth));
      EXPECT_TRUE(absl::IsUnavailable(status)) << function << ": " << status;
      EXPECT_THAT(std::string(Message(status)), HasSubstr("GPU 0 has failed")) << function;
      EXPECT_EQ(reasons.size(), 1u) << function;
      EXPECT_TRUE(absl::IsUnavailable(LoadOne(ConfigText(kWidth))));
    });
  }
}

TEST_F(CudaBackendTest, WithoutMemoryForItsWeightsAModelIsRefused) {
  constexpr int64_t kWidth = 1 << 20;
  WriteModel(AddModel(kWidth));
  fake_.SetMemory(2 << 20);
  const absl::Status status = LoadOne(ConfigText(kWidth, "", 1));
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(Message(status)),
              AllOf(HasSubstr("instance 'm_0' on GPU 0"), HasSubstr("4194304 bytes of memory"),
                    HasSubstr("are free")));
  model_.reset();
  ExpectNothingLeft();
}

TEST_F(CudaBackendTest, ABatchThatDoesNotFitFailsAloneAndLosesNothing) {
  constexpr int64_t kWidth = 100'000;
  WriteModel(AddModel(kWidth));
  ASSERT_TRUE(LoadOne(ConfigText(kWidth, Parameter("warmup_batches", "none"))).ok());
  ASSERT_TRUE(Infer(*instance_, 1, kWidth).ok());
  ASSERT_TRUE(Infer(*instance_, 1, kWidth).ok());
  constexpr uint64_t kCode = 64 << 10;  // of the kernels that the batch would have run
  const uint64_t before = UsedOn(0);
  uint64_t used = 0;
  fake_.SetMemory(before + kCode);
  for (int i = 0; i < 2; ++i) {
    const absl::Status status = Infer(*instance_, 8, kWidth);
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_THAT(std::string(Message(status)), HasSubstr("GPU 0 has not"));
    EXPECT_TRUE(instance_->Healthy());
    EXPECT_TRUE(Infer(*instance_, 1, kWidth).ok());
    EXPECT_LE(UsedOn(0), before + kCode);
    if (i > 0) {
      EXPECT_EQ(UsedOn(0), used);
    }
    used = UsedOn(0);
  }
  fake_.SetMemory(uint64_t{1} << 30);
  EXPECT_TRUE(Infer(*instance_, 8, kWidth).ok());
  EXPECT_TRUE(instance_->Healthy());
}

TEST_F(CudaBackendTest, ReportsTheMemoryThatItsAllocationsTake) {
  constexpr int64_t kWidth = 50'000;
  WriteModel(AddModel(kWidth));
  auto config = testing::NormalizedConfig(ConfigText(kWidth,
                                                     "instance_group { kind: KIND_GPU "
                                                     "count: 2 gpus: [ 0, 1 ] }"));
  ASSERT_TRUE(config.ok());
  auto backend = GetBackend("cuda");
  ASSERT_TRUE(backend.ok());
  const auto estimate = GuardedEstimateMemory(**backend, Context(*config, InstanceKind::kGpu));
  ASSERT_TRUE(estimate.ok()) << estimate.status();
  ASSERT_EQ(estimate->items.size(), 4u);  // on each GPU, and page-locked for it

  ASSERT_TRUE(LoadOne(ConfigText(kWidth)).ok());
  auto second = MakeOn(*model_);
  ASSERT_TRUE(second.ok());
  for (const int64_t rows : {1, 1, 8, 8, 5}) {
    ASSERT_TRUE(Infer(*instance_, rows, kWidth).ok());
    ASSERT_TRUE(Infer(**second, rows, kWidth).ok());
  }
  const auto used = static_cast<double>(UsedOn(0));
  EXPECT_NEAR(static_cast<double>(estimate->items[0].byte_size), used, 0.03 * used);
  EXPECT_EQ(estimate->items[0].byte_size, estimate->items[2].byte_size);
  EXPECT_EQ(estimate->items[1].byte_size, fake_.state().pinned_bytes);
  const uint64_t usage = UsageOn(*model_, kGpu0);
  EXPECT_NEAR(static_cast<double>(usage), used, 0.03 * used);
  EXPECT_EQ(UsageOn(*model_, {MemoryKind::kPinned, 0}), fake_.state().pinned_bytes);
  EXPECT_THAT(MetricsText(),
              HasSubstr(StrCat("nereid_cuda_memory_bytes{gpu=\"0\",model=\"m\"} ", usage, "\n")));
  EXPECT_THAT(MetricsText(), HasSubstr(StrCat("nereid_cuda_pinned_bytes{gpu=\"0\",model=\"m\"} ",
                                              fake_.state().pinned_bytes, "\n")));
  second->reset();
  EXPECT_LT(UsageOn(*model_, kGpu0), usage);
  instance_.reset();
  EXPECT_EQ(UsageOn(*model_, kGpu0), 0u);
  EXPECT_EQ(MetricsText().find("nereid_cuda_memory_bytes"), std::string::npos);
}

TEST_F(CudaBackendTest, WarmUpRunsTheBatchesThatTheParameterNames) {
  constexpr int64_t kWidth = 16;
  WriteModel(AddModel(kWidth));
  const struct {
    const char* warmup;
    int64_t batches;
  } rows[] = {{"none", 0}, {"ends", 2}, {"all", 4}};  // of 1, 2, 4 and 8
  for (const auto& row : rows) {
    const int64_t before = fake_.Calls("cuGraphLaunch");
    ASSERT_TRUE(LoadOne(ConfigText(kWidth, Parameter("warmup_batches", row.warmup))).ok());
    EXPECT_EQ(fake_.Calls("cuGraphLaunch") - before, row.batches) << row.warmup;
    const int64_t launches = fake_.Calls("cuLaunchKernel");
    ASSERT_TRUE(Infer(*instance_, 8, kWidth).ok());
    EXPECT_EQ(fake_.Calls("cuLaunchKernel") == launches, row.batches > 0) << row.warmup;
    instance_.reset();
    model_.reset();
  }
}

TEST_F(CudaBackendTest, TakesTheConfigurationOfOnnxRuntimeModels) {
  constexpr int64_t kWidth = 16;
  WriteModel(AddModel(kWidth));
  std::string parameters = Parameter("something", "else");
  for (const char* name : {"intra_op_thread_count", "execution_mode", "enable_mem_arena",
                           "session.intra_op.allow_spinning", "cudnn_conv_algo_search",
                           "memory.enable_memory_arena_shrinkage"}) {
    parameters += Parameter(name, "1");
  }
  ASSERT_TRUE(
      LoadOne(ConfigText(kWidth, parameters + "optimization { graph { level: 1 } "
                                              "execution_accelerators { gpu_execution_accelerator "
                                              "{ name: \"tensorrt\" } } }"))
          .ok());
  EXPECT_TRUE(Infer(*instance_, 1, kWidth).ok());
}

TEST_F(CudaBackendTest, RefusesInstancesOnTheCpu) {
  WriteModel(AddModel(16));
  const absl::Status status = Load(ConfigText(16));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("KIND_CPU"));
}

// --- Bytes in, bytes out -------------------------------------------------------------------------

struct Where {
  const char* name;
  MemoryKind input;
  MemoryKind output;
};

// The model copies on the host, so results are real: what is checked is every copy on the way.
constexpr int64_t kWidth = 2;
class CudaCopies : public testing::CudaTest, public ::testing::WithParamInterface<Where> {
 protected:
  void SetUp() override {
    CudaTest::SetUp();
    if (IsSkipped()) return;
    WriteModel(HostModel(kWidth));
    ASSERT_TRUE(LoadOne(ConfigText(kWidth)).ok());
  }

  static MemoryPlace PlaceOf(MemoryKind kind) { return {kind, 0}; }
  PlacingSink::Allocator AllocatorOf(MemoryKind kind) {
    if (kind == MemoryKind::kGpu) return [this](size_t size) { return fake_.Allocate(size); };
    if (kind == MemoryKind::kPinned) {
      return [this](size_t size) { return fake_.AllocatePinned(size); };
    }
    return [](size_t size) {
      return std::shared_ptr<std::byte>(new std::byte[size], std::default_delete<std::byte[]>());
    };
  }

  // A request of rows that begin with these numbers.
  void Add(const std::vector<float>& numbers, Where where) {
    std::vector<float> values;
    for (const float number : numbers) values.insert(values.end(), {number, -1});
    const size_t size = values.size() * sizeof(float);
    std::shared_ptr<std::byte> block = AllocatorOf(where.input)(size);
    std::memcpy(block.get(), values.data(), size);
    RequestBuilder builder(config_);
    builder.Input("X", DataType::kFp32, {static_cast<int64_t>(numbers.size()), kWidth},
                  Payload(block, block.get(), size, PlaceOf(where.input)));
    records_.push_back(builder.record());
    auto request = builder.Build();
    request->WrapSink([&](std::unique_ptr<ResponseSink> sink) {
      return std::make_unique<PlacingSink>(std::move(sink), PlaceOf(where.output),
                                           AllocatorOf(where.output));
    });
    batch_.Add(std::move(request));
  }

  // The first numbers of the rows of the answer to request i.
  std::vector<float> AnswerTo(size_t i, MemoryKind kind) {
    const auto responses = records_[i]->responses();
    if (responses.size() != 1 || !responses[0].status.ok()) return {};
    const OutputTensor* output = testing::FindOutput(responses[0], "Y");
    if (output == nullptr) return {};
    EXPECT_EQ(output->data.place().kind, kind);
    const auto values = ValuesOf<float>(output->data);
    std::vector<float> first;
    for (size_t at = 0; at < values.size(); at += kWidth) {
      EXPECT_EQ(values[at + 1], -1);
      first.push_back(values[at]);
    }
    return first;
  }
  void TearDown() override {
    batch_ = Batch();
    records_.clear();
    CudaTest::TearDown();
  }

  Batch batch_;
  std::vector<std::shared_ptr<testing::SinkRecord>> records_;
};

TEST_P(CudaCopies, EachRequestGetsItsRows) {
  Add({0, 3}, GetParam());
  Add({2}, GetParam());
  Add({1, 1, 2}, GetParam());
  const absl::Status status = GuardedExecute(*instance_, batch_);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(AnswerTo(0, GetParam().output), ElementsAre(0, 3));
  EXPECT_THAT(AnswerTo(1, GetParam().output), ElementsAre(2));
  EXPECT_THAT(AnswerTo(2, GetParam().output), ElementsAre(1, 1, 2));
  EXPECT_THAT(MetricsText(), HasSubstr("nereid_cuda_host_steps{model=\"m\"} 1\n"));
}

INSTANTIATE_TEST_SUITE_P(
    Places, CudaCopies,
    ::testing::Values(Where{"host_to_host", MemoryKind::kCpu, MemoryKind::kCpu},
                      Where{"pinned_to_pinned", MemoryKind::kPinned, MemoryKind::kPinned},
                      Where{"gpu_to_host", MemoryKind::kGpu, MemoryKind::kCpu},
                      Where{"host_to_gpu", MemoryKind::kCpu, MemoryKind::kGpu},
                      Where{"gpu_to_gpu", MemoryKind::kGpu, MemoryKind::kGpu}),
    [](const auto& info) { return info.param.name; });

class CudaMixedCopies : public CudaCopies {};

TEST_F(CudaMixedCopies, RequestsOfOneBatchMayLieAnywhere) {
  Add({0}, {"", MemoryKind::kCpu, MemoryKind::kGpu});
  Add({1, 2}, {"", MemoryKind::kGpu, MemoryKind::kCpu});
  Add({3}, {"", MemoryKind::kPinned, MemoryKind::kCpu});
  Add({2, 0}, {"", MemoryKind::kCpu, MemoryKind::kPinned});
  ASSERT_TRUE(GuardedExecute(*instance_, batch_).ok());
  EXPECT_THAT(AnswerTo(0, MemoryKind::kGpu), ElementsAre(0));
  EXPECT_THAT(AnswerTo(1, MemoryKind::kCpu), ElementsAre(1, 2));
  EXPECT_THAT(AnswerTo(2, MemoryKind::kCpu), ElementsAre(3));
  EXPECT_THAT(AnswerTo(3, MemoryKind::kPinned), ElementsAre(2, 0));
}

TEST_F(CudaMixedCopies, RowsOfManyRequestsAreOneCopyEachWay) {
  for (int i = 0; i < 8; ++i)
    Add({static_cast<float>(i)}, {"", MemoryKind::kCpu, MemoryKind::kCpu});
  const int64_t up = fake_.Calls("cuMemcpyHtoDAsync");
  const int64_t down = fake_.Calls("cuMemcpyDtoHAsync");
  ASSERT_TRUE(GuardedExecute(*instance_, batch_).ok());
  // One more each way is the host step's own.
  EXPECT_EQ(fake_.Calls("cuMemcpyHtoDAsync") - up, 2);
  EXPECT_EQ(fake_.Calls("cuMemcpyDtoHAsync") - down, 2);
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_THAT(AnswerTo(i, MemoryKind::kCpu), ElementsAre(static_cast<float>(i)));
  }
}

TEST_F(CudaMixedCopies, ASinkWithoutMemoryFailsItsRequestAlone) {
  Add({0}, {"", MemoryKind::kCpu, MemoryKind::kCpu});
  Add({1}, {"", MemoryKind::kCpu, MemoryKind::kGpu});
  fake_.Fail("cuMemAlloc", 2);  // out of memory, for the sink
  ASSERT_TRUE(GuardedExecute(*instance_, batch_).ok());
  EXPECT_THAT(AnswerTo(0, MemoryKind::kCpu), ElementsAre(0));
  EXPECT_TRUE(absl::IsResourceExhausted(records_[1]->status())) << records_[1]->status();
}

TEST_F(CudaMixedCopies, GpuMemoryThatIsNoLongerThereFailsTheBatchOnly) {
  Add({0}, {"", MemoryKind::kGpu, MemoryKind::kCpu});
  fake_.Fail("cuMemcpyAsync", 1);  // an invalid value
  const absl::Status status = GuardedExecute(*instance_, batch_);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(Message(status)), HasSubstr("memory of the request cannot be used"));
  EXPECT_TRUE(instance_->Healthy());
  batch_.request(0).Fail(status);
}

TEST_F(CudaMixedCopies, LargePinnedTensorsAreNotStaged) {
  constexpr int64_t kWide = 64 << 10;
  instance_.reset();
  model_.reset();
  WriteModel(AddModel(kWide));
  ASSERT_TRUE(LoadOne(ConfigText(kWide)).ok());
  auto block = fake_.AllocatePinned(kWide * 4);
  RequestBuilder builder(config_);
  builder.Input("X", DataType::kFp32, {1, kWide},
                Payload(block, block.get(), kWide * 4, {MemoryKind::kPinned, 0}));
  records_.push_back(builder.record());
  auto request = builder.Build();
  request->WrapSink([&](std::unique_ptr<ResponseSink> sink) {
    return std::make_unique<PlacingSink>(std::move(sink), MemoryPlace{MemoryKind::kPinned, 0},
                                         AllocatorOf(MemoryKind::kPinned));
  });
  batch_.Add(std::move(request));
  const int64_t up = fake_.Calls("cuMemcpyHtoDAsync");
  const int64_t down = fake_.Calls("cuMemcpyDtoHAsync");
  ASSERT_TRUE(GuardedExecute(*instance_, batch_).ok());
  EXPECT_EQ(fake_.Calls("cuMemcpyHtoDAsync") - up, 1);
  EXPECT_EQ(fake_.Calls("cuMemcpyDtoHAsync") - down, 1);
  EXPECT_TRUE(records_[0]->status().ok());
}

}  // namespace
}  // namespace nereid
