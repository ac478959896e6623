#include "infer/shared_tensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "common/strings.h"
#include "support/config_text.h"
#include "support/fake_cuda.h"
#include "support/shared_memory_object.h"

namespace nereid {
namespace {

using testing::ConfigFromText;
using testing::FakeCuda;
using testing::SharedMemoryObject;

constexpr char kConfig[] = R"(
  name: "m" backend: "b"
  input { name: "IN" data_type: TYPE_FP32 dims: 4 }
  output { name: "OUT" data_type: TYPE_FP32 dims: 4 }
  output { name: "OTHER" data_type: TYPE_FP32 dims: 4 })";
constexpr MemoryPlace kGpu0{MemoryKind::kGpu, 0};
constexpr MemoryPlace kGpu1{MemoryKind::kGpu, 1};

// A request with a system region "r" and, on GPU 0, a CUDA region "g", 64 bytes each.
class SharedTensorsTest : public ::testing::Test {
 protected:
  SharedTensorsTest() {
    EXPECT_TRUE(registry_.RegisterSystem("r", object_.key(), 0, 64).ok());
    EXPECT_TRUE(registry_.RegisterCuda("g", cuda_.Share(gpu_memory_), 0, 64).ok());
  }

  const TensorSpec& Spec(std::string_view name) const { return *config_->FindOutput(name); }
  InferResponse Response(const Payload& data) const {
    InferResponse response;
    response.outputs.push_back({&Spec("OUT"), DataType::kFp32, {4}, data});
    return response;
  }
  Payload Bytes(std::string_view text, MemoryPlace place = {}) {
    return Payload(nullptr, reinterpret_cast<const std::byte*>(text.data()), text.size(), place);
  }

  FakeCuda cuda_;
  SharedMemoryObject object_{64};
  std::vector<std::byte> gpu_memory_{64};
  SharedMemoryRegistry registry_{true};
  std::shared_ptr<const ModelConfig> config_ = ConfigFromText(kConfig);
  SharedTensors shared_{&registry_, config_.get()};
};

TEST_F(SharedTensorsTest, InputsAreViewsOfTheRegion) {
  EXPECT_TRUE(shared_.empty());
  const auto system = shared_.ReadInput({"r", 16, 8}, DataType::kFp32);
  const auto cuda = shared_.ReadInput({"g", 8, 8}, DataType::kFp32);
  ASSERT_TRUE(system.ok() && cuda.ok());
  EXPECT_FALSE(shared_.empty());
  object_.As<float>(16)[0] = 2.5f;
  float seen = 0;
  std::memcpy(&seen, system->data(), sizeof(seen));
  EXPECT_EQ(seen, 2.5f) << "the same memory";
  EXPECT_EQ(cuda->data(), gpu_memory_.data() + 8);
  EXPECT_EQ(cuda->place(), kGpu0);
  EXPECT_TRUE(absl::IsNotFound(shared_.ReadInput({"x", 0, 8}, DataType::kFp32).status()));
}

TEST_F(SharedTensorsTest, StringsCannotChangeAfterTheyWereChecked) {
  std::memcpy(object_.data(), "\4\0\0\0text", 8);
  std::memcpy(gpu_memory_.data(), "\4\0\0\0text", 8);
  for (const char* region : {"r", "g"}) {
    const auto data = shared_.ReadInput({region, 0, 8}, DataType::kBytes);
    ASSERT_TRUE(data.ok());
    EXPECT_TRUE(data->place().HostAccessible());
    object_.data()[0] = gpu_memory_[0] = std::byte{255};
    EXPECT_EQ(data->data()[0], std::byte{4});
    object_.data()[0] = gpu_memory_[0] = std::byte{4};
  }
}

TEST_F(SharedTensorsTest, OutputsAreWrittenWhereTheyBelong) {
  ASSERT_TRUE(shared_.AddOutput("OUT", {"r", 32, 16}).ok());
  const auto buffer = shared_.Allocate(Spec("OUT"), 12, kGpu0);
  ASSERT_TRUE(buffer.ok());
  EXPECT_EQ(buffer->size(), 12u);
  std::memcpy(buffer->data(), "in the place", 12);
  EXPECT_EQ(std::memcmp(object_.data() + 32, "in the place", 12), 0);
  InferResponse response = Response(Payload(*buffer));
  ASSERT_TRUE(shared_.Deliver(response).ok());
  EXPECT_EQ(response.outputs[0].data.byte_size(), 0u);
  EXPECT_EQ(response.outputs[0].shape, Shape{4});

  const auto other = shared_.Allocate(Spec("OTHER"), 64, {});
  ASSERT_TRUE(other.ok());
  EXPECT_NE(other->data(), object_.data());
}

TEST_F(SharedTensorsTest, OutputsFromElsewhereAreBroughtThere) {
  struct Row {
    std::string region;
    MemoryPlace from;
    int copies_by_driver;
  };
  const Row rows[] = {
      {"r", {}, 0}, {"r", kGpu1, 1}, {"g", {}, 1}, {"g", kGpu1, 1}, {"g", kGpu0, 1}};
  for (const Row& row : rows) {
    SharedTensors shared(&registry_, config_.get());
    ASSERT_TRUE(shared.AddOutput("OUT", {row.region, 4, 16}).ok());
    std::byte* room = (row.region == "r" ? object_.data() : gpu_memory_.data()) + 4;
    std::memset(room, 0, 16);
    const int before = cuda_.copies();
    InferResponse response = Response(Bytes("sixteen bytes!!!", row.from));
    ASSERT_TRUE(shared.Deliver(response).ok());
    EXPECT_EQ(std::memcmp(room, "sixteen bytes!!!", 16), 0);
    EXPECT_EQ(cuda_.copies() - before, row.copies_by_driver);
  }
}

TEST_F(SharedTensorsTest, AGpuRegionIsForWhoeverWorksOnThatGpu) {
  ASSERT_TRUE(shared_.AddOutput("OUT", {"g", 0, 16}).ok());
  struct Row {
    MemoryPlace preferred;
    bool in_place;
  };
  for (const Row& row : {Row{{}, false}, Row{kGpu1, false}, Row{kGpu0, true}}) {
    const auto buffer = shared_.Allocate(Spec("OUT"), 16, row.preferred);
    ASSERT_TRUE(buffer.ok());
    EXPECT_EQ(buffer->data() == gpu_memory_.data(), row.in_place);
    EXPECT_EQ(buffer->place().HostAccessible(), !row.in_place);
  }
}

TEST_F(SharedTensorsTest, TooLittleRoomIsAnError) {
  ASSERT_TRUE(shared_.AddOutput("OUT", {"r", 0, 15}).ok());
  const std::string text =
      "shared memory size specified with the request for output 'OUT' (15 bytes) should be at "
      "least 16 bytes to hold the results";
  EXPECT_EQ(Message(shared_.Allocate(Spec("OUT"), 16, {}).status()), text);
  InferResponse response = Response(Bytes("sixteen bytes!!!"));
  const absl::Status status = shared_.Deliver(response);
  EXPECT_TRUE(absl::IsInternal(status));
  EXPECT_EQ(Message(status), text);
  EXPECT_EQ(object_.data()[0], std::byte{0}) << "nothing was written";
}

TEST_F(SharedTensorsTest, OtherOutputsComeToTheHost) {
  const std::string_view text = "from a GPU, here";
  InferResponse response = Response(Bytes(text, kGpu1));
  DeliverOutputs(nullptr, response);
  ASSERT_TRUE(response.status.ok());
  EXPECT_TRUE(response.outputs[0].data.place().HostAccessible());
  EXPECT_EQ(std::memcmp(response.outputs[0].data.data(), text.data(), 16), 0);

  response = Response(Bytes(text, kGpu1));
  DeliverOutputs(&shared_, response);
  EXPECT_TRUE(response.outputs[0].data.place().HostAccessible());

  cuda_.refuses_to_copy = true;
  response = Response(Bytes(text, kGpu1));
  DeliverOutputs(nullptr, response);
  EXPECT_TRUE(absl::IsInternal(response.status));
}

TEST_F(SharedTensorsTest, AnErrorOfTheBackendStaysWhatItIs) {
  InferResponse response;
  response.status = absl::UnavailableError("the backend's");
  DeliverOutputs(&shared_, response);
  EXPECT_EQ(Message(response.status), "the backend's");
}

TEST_F(SharedTensorsTest, AnInputThatWentAwayFailsTheAnswer) {
  const auto input = shared_.ReadInput({"r", 0, 16}, DataType::kFp32);
  ASSERT_TRUE(input.ok());
  object_.Resize(0);
  InferResponse response = Response(*input);
  ASSERT_TRUE(shared_.AddOutput("OUT", {"g", 0, 16}).ok());
  EXPECT_EQ(Message(shared_.Deliver(response)),
            "the object behind shared memory region 'r' has shrunk since it was registered");
}

TEST_F(SharedTensorsTest, RegionsAreInUseUntilReleasedAndBytesForLonger) {
  Payload input = *shared_.ReadInput({"r", 0, 8}, DataType::kFp32);
  ASSERT_TRUE(shared_.AddOutput("OUT", {"g", 0, 16}).ok());
  SharedTensors moved = std::move(shared_);
  registry_.Unregister(SharedMemoryKind::kSystem, "");
  registry_.Unregister(SharedMemoryKind::kCuda, "");
  EXPECT_TRUE(registry_.Status(SharedMemoryKind::kSystem, "r").ok());
  EXPECT_TRUE(registry_.Status(SharedMemoryKind::kCuda, "g").ok());
  moved.Release();
  EXPECT_FALSE(registry_.Status(SharedMemoryKind::kSystem, "r").ok());
  EXPECT_FALSE(registry_.Status(SharedMemoryKind::kCuda, "g").ok());
  EXPECT_EQ(cuda_.opened(), 0);
  EXPECT_EQ(input.data()[0], std::byte{0}) << "still mapped";
}

TEST_F(SharedTensorsTest, OnlyModelsOnGpusHaveRegionsPinned) {
  ASSERT_TRUE(shared_.ReadInput({"r", 0, 8}, DataType::kFp32).ok());
  EXPECT_EQ(cuda_.contexts_held(), 1) << "that of the CUDA region";
  const auto on_gpu = ConfigFromText(StrCat(kConfig, R"( instance_group { kind: KIND_CPU }
      instance_group { kind: KIND_GPU gpus: [ 1, 0 ] })"));
  MemoryPlace place;
  while (place.kind != MemoryKind::kPinned) {
    SharedTensors shared(&registry_, on_gpu.get());
    place = shared.ReadInput({"r", 0, 8}, DataType::kFp32)->place();
  }
  EXPECT_EQ(place.device, 1);
  EXPECT_EQ(cuda_.pinned(), 1);
}

}  // namespace
}  // namespace nereid
