#include "config/instance_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config_test_util.h"

namespace nereid {
namespace {

using inference::ModelInstanceGroup;
using ::testing::ElementsAre;
using testing::Parse;
using testing::Text;

const DeviceInventory kNoGpu{.gpu_support = true, .usable_gpus = {}};
const DeviceInventory kTwoGpus{.gpu_support = true, .usable_gpus = {0, 1}};
const DeviceInventory kCpuBuild{.gpu_support = false, .usable_gpus = {}};

inference::ModelConfig Normalized(const std::string& text, const DeviceInventory& devices,
                                  const std::vector<PreferredGroup>& preferred = {}) {
  inference::ModelConfig config = Parse("name: \"m\" " + text);
  NormalizeInstanceGroups(devices, preferred, &config);
  return config;
}

TEST(NormalizeInstanceGroups, GivesAModelWithoutGroupsOneOfItsOwnName) {
  const auto group = Normalized("", kNoGpu).instance_group(0);
  EXPECT_EQ(group.name(), "m");
  EXPECT_EQ(group.kind(), ModelInstanceGroup::KIND_CPU);
  EXPECT_EQ(group.count(), 1);
}

TEST(NormalizeInstanceGroups, NamesGroupsByPosition) {
  const auto config = Normalized(R"(instance_group [ {}, { name: "x" }, {} ])", kNoGpu);
  EXPECT_EQ(config.instance_group(0).name(), "m_0");
  EXPECT_EQ(config.instance_group(1).name(), "x");
  EXPECT_EQ(config.instance_group(2).name(), "m_2");
}

TEST(NormalizeInstanceGroups, PutsAutoOnGpuOnlyWhenAllListedOnesAreUsable) {
  EXPECT_EQ(Normalized("instance_group {}", kNoGpu).instance_group(0).kind(),
            ModelInstanceGroup::KIND_CPU);
  const auto all = Normalized("instance_group {}", kTwoGpus).instance_group(0);
  EXPECT_EQ(all.kind(), ModelInstanceGroup::KIND_GPU);
  EXPECT_THAT(all.gpus(), ElementsAre(0, 1));
  EXPECT_THAT(Normalized("instance_group { gpus: 1 }", kTwoGpus).instance_group(0).gpus(),
              ElementsAre(1));
  EXPECT_EQ(Normalized("instance_group { gpus: [ 0, 7 ] }", kTwoGpus).instance_group(0).kind(),
            ModelInstanceGroup::KIND_CPU);
}

struct CountRow {
  std::string text;
  int count;
};
TEST(NormalizeInstanceGroups, ChoosesTheDefaultCountByBackendAndKind) {
  for (const CountRow& row : {
           CountRow{R"(backend: "onnxruntime" instance_group { kind: KIND_CPU })", 2},
           CountRow{R"(backend: "tensorflow" instance_group { kind: KIND_CPU })", 2},
           CountRow{R"(backend: "onnxruntime")", 2},
           CountRow{R"(backend: "onnxruntime" instance_group { kind: KIND_MODEL })", 1},
           CountRow{R"(backend: "python" instance_group { kind: KIND_CPU })", 1},
           CountRow{R"(backend: "onnxruntime" instance_group { kind: KIND_CPU count: 5 })", 5},
           CountRow{R"(backend: "onnxruntime" instance_group { kind: KIND_CPU count: -3 })", 2},
       }) {
    EXPECT_EQ(Normalized(row.text, kNoGpu).instance_group(0).count(), row.count) << row.text;
  }
  EXPECT_EQ(Normalized(R"(backend: "onnxruntime")", kTwoGpus).instance_group(0).count(), 1);
}

TEST(NormalizeInstanceGroups, FollowsTheBackendsWishes) {
  const std::vector<PreferredGroup> wishes = {{InstanceKind::kGpu, 3}, {InstanceKind::kCpu, 4}};
  const auto gpu = Normalized("", kTwoGpus, wishes).instance_group(0);
  EXPECT_EQ(gpu.kind(), ModelInstanceGroup::KIND_GPU);
  EXPECT_EQ(gpu.count(), 3);
  EXPECT_THAT(gpu.gpus(), ElementsAre(0, 1));
  const auto cpu = Normalized("", kNoGpu, wishes).instance_group(0);
  EXPECT_EQ(cpu.kind(), ModelInstanceGroup::KIND_CPU);
  EXPECT_EQ(cpu.count(), 4);
  EXPECT_EQ(
      Normalized("instance_group { kind: KIND_CPU }", kNoGpu, wishes).instance_group(0).count(), 4);
  // A group that is written without a kind is AUTO, whatever the backend prefers.
  EXPECT_EQ(
      Normalized("instance_group {}", kTwoGpus, {{InstanceKind::kCpu, 4}}).instance_group(0).kind(),
      ModelInstanceGroup::KIND_GPU);
}

TEST(NormalizeInstanceGroups, IsIdempotentAndSkipsEnsembles) {
  inference::ModelConfig config = Normalized("instance_group [ {}, { kind: KIND_CPU } ]", kTwoGpus);
  const std::string once = config.SerializeAsString();
  NormalizeInstanceGroups(kTwoGpus, {}, &config);
  EXPECT_EQ(config.SerializeAsString(), once);
  EXPECT_TRUE(Normalized("platform: \"ensemble\"", kTwoGpus).instance_group().empty());
}

struct ErrorRow {
  std::string text;
  const DeviceInventory& devices;
  absl::StatusCode code;
  std::string message;
};

TEST(ValidateInstanceGroups, AnswersInTheWordsOfTheReference) {
  const auto invalid = absl::StatusCode::kInvalidArgument;
  const ErrorRow rows[] = {
      {R"(instance_group { name: "g" kind: KIND_MODEL gpus: 0 })", kTwoGpus, invalid,
       "instance group g of model m has kind KIND_MODEL but specifies one or more GPUs"},
      {R"(instance_group { kind: KIND_CPU gpus: 0 })", kTwoGpus, invalid,
       "instance group m_0 of model m has kind KIND_CPU but specifies one or more GPUs"},
      {R"(instance_group { gpus: 0 })", kNoGpu, invalid,
       "instance group m_0 of model m has kind KIND_CPU but specifies one or more GPUs"},
      {R"(instance_group { kind: KIND_GPU })", kCpuBuild, invalid,
       "instance group m_0 of model m has kind KIND_GPU but server does not support GPUs"},
      {R"(instance_group { kind: KIND_GPU })", kNoGpu, invalid,
       "instance group m_0 of model m has kind KIND_GPU but no GPUs are available"},
      {R"(instance_group { kind: KIND_GPU gpus: 3 })", kTwoGpus, invalid,
       "instance group m_0 of model m specifies invalid or unsupported gpu id 3. GPUs with at "
       "least "
       "the minimum required CUDA compute compatibility of 7.500000 are: 0, 1"},
      {R"(instance_group { kind: 9 })", kTwoGpus, absl::StatusCode::kInternal,
       "instance group m_0 of model m has unexpected kind "},
      {R"(platform: "p" instance_group { kind: KIND_CPU profile: "0" })", kNoGpu, invalid,
       "instance group m_0 of model m and platform pspecifies profile field which is only "
       "supported "
       "for TensorRT models"},
      {R"(platform: "tensorrt_plan" instance_group { kind: KIND_CPU profile: "-1" })", kNoGpu,
       invalid,
       "instance group m_0 of model m and platform tensorrt_plan specifies invalid profile -1. The "
       "field should contain the string representation of a non-negative integer."},
      {R"(platform: "tensorrt_plan" instance_group { kind: KIND_CPU profile: "1x" })", kNoGpu,
       invalid, "unable to parse '1x': not an integer"},
      {R"(platform: "tensorrt_plan" instance_group { kind: KIND_CPU profile: "99999999999" })",
       kNoGpu, invalid, "unable to parse '99999999999': out of range"},
      {R"(platform: "tensorrt_plan" instance_group { kind: KIND_CPU profile: "" })", kNoGpu,
       invalid, "profile name must not be empty"},
      {R"(instance_group { kind: KIND_CPU count: 2147483647 })", kNoGpu, invalid,
       "instance group m_0 of model m has count 2147483647, at most 4096 instances are supported"},
      {R"(instance_group { rate_limiter { resources [ { name: "r" }, { name: "r" global: true } ] } })",
       kNoGpu, invalid,
       "Resource \"r\" is present as both global and device-specific resource in the model "
       "configuration."},
  };
  for (const ErrorRow& row : rows) {
    const absl::Status status =
        ValidateInstanceGroups(Normalized(row.text, row.devices), row.devices);
    EXPECT_EQ(status.code(), row.code) << row.text;
    EXPECT_EQ(Text(status), row.message) << row.text;
  }
}

TEST(ValidateInstanceGroups, WantsGroupsThatWereNormalised) {
  EXPECT_EQ(Text(ValidateInstanceGroups(Parse("name: \"m\""), kNoGpu)),
            "must specify one or more 'instance group's for m");
  EXPECT_EQ(
      Text(ValidateInstanceGroups(Parse("name: \"m\" instance_group { name: \"g\" }"), kNoGpu)),
      "instance group g of model m has unexpected kind KIND_AUTO");
  EXPECT_TRUE(ValidateInstanceGroups(Parse("platform: \"ensemble\""), kNoGpu).ok());
}

TEST(ValidateInstanceGroups, AcceptsWhatFits) {
  for (const char* text :
       {"", "instance_group { kind: KIND_GPU gpus: [ 1, 0 ] }",
        "instance_group [ { kind: KIND_MODEL count: 2 }, { kind: KIND_CPU } ]",
        R"(platform: "tensorrt_plan" instance_group { profile: [ "0", "2" ] })"}) {
    EXPECT_TRUE(ValidateInstanceGroups(Normalized(text, kTwoGpus), kTwoGpus).ok()) << text;
  }
}

std::vector<std::string> Names(const std::vector<PlannedInstance>& plan) {
  std::vector<std::string> names;
  for (const auto& instance : plan) names.push_back(instance.context.name);
  return names;
}

TEST(PlanInstances, CountsPerGpuAndInTotalOtherwise) {
  const auto plan = PlanInstances(Normalized(R"(instance_group [
      { name: "g" kind: KIND_GPU count: 2 }, { kind: KIND_CPU count: 2 host_policy: "h" },
      { kind: KIND_GPU gpus: 1 passive: true profile: [ "3" ] } ])",
                                             kTwoGpus));
  EXPECT_THAT(Names(plan), ElementsAre("g_0", "g_0", "g_1", "g_1", "m_1_0", "m_1_1", "m_2_0"));
  EXPECT_EQ(plan[1].context.device, 1);
  EXPECT_EQ(plan[1].context.kind, InstanceKind::kGpu);
  EXPECT_EQ(plan[4].context.kind, InstanceKind::kCpu);
  EXPECT_EQ(plan[4].host_policy, "h");
  EXPECT_TRUE(plan[6].passive);
  EXPECT_FALSE(plan[5].passive);
  EXPECT_THAT(plan[6].context.profiles, ElementsAre("3"));
  for (size_t i = 0; i < plan.size(); ++i) EXPECT_EQ(plan[i].context.index, static_cast<int>(i));
}

TEST(PlanInstances, NumbersTheStreamSlotsOfEachDevice) {
  const auto plan =
      PlanInstances(Normalized("instance_group { kind: KIND_GPU count: 2 }", kTwoGpus));
  ASSERT_EQ(plan.size(), 4u);
  EXPECT_EQ(plan[0].context.stream_slot, 0);
  EXPECT_EQ(plan[1].context.stream_slot, 0);
  EXPECT_EQ(plan[2].context.stream_slot, 1);
  EXPECT_EQ(plan[3].context.stream_slot, 1);
}

TEST(PlanInstances, NamesTheInstancesOfADefaultGroupAfterTheModel) {
  EXPECT_THAT(Names(PlanInstances(Normalized(R"(backend: "onnxruntime")", kNoGpu))),
              ElementsAre("m_0", "m_1"));
}

}  // namespace
}  // namespace nereid
