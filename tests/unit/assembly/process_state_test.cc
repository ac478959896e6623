#include "assembly/process_state.h"

#include <gtest/gtest.h>

#include "common/strings.h"

namespace nereid {
namespace {

ProcessState Full() {
  ProcessState state;
  state.restarts = 7;
  state.reason = "GPU 3 has failed";
  state.failures = {1'000'000'000'000, 2'000'000'000'000};
  state.sockets = {{4, 5}, {6}, {7}};
  state.log = LogOptions{.info = false,
                         .warning = true,
                         .error = false,
                         .verbose_level = 3,
                         .format = LogFormat::kIso8601,
                         .file = "/tmp/log"};
  state.models.emplace();
  state.models->push_back({"plain", {}});
  state.models->push_back(
      {"with files",
       {"{\"max_batch_size\":4}",
        {{"1/model.onnx", std::string("\0\xff binary\n", 10)}, {"empty", ""}}}});
  state.regions.push_back({SharedMemoryKind::kSystem, "s", "/key", 4096, 64, 0, ""});
  state.regions.push_back(
      {SharedMemoryKind::kCuda, "c", "", 0, uint64_t{1} << 40, 2, std::string(64, '\0')});
  return state;
}

TEST(ProcessStateTest, ComesOutAsItWentIn) {
  const auto parsed = ParseProcessState(SerializeProcessState(Full()));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const ProcessState wanted = Full();
  EXPECT_EQ(parsed->restarts, wanted.restarts);
  EXPECT_EQ(parsed->reason, wanted.reason);
  EXPECT_EQ(parsed->failures, wanted.failures);
  EXPECT_EQ(parsed->sockets.http, wanted.sockets.http);
  EXPECT_EQ(parsed->sockets.grpc, wanted.sockets.grpc);
  EXPECT_EQ(parsed->sockets.metrics, wanted.sockets.metrics);
  ASSERT_TRUE(parsed->log.has_value());
  EXPECT_EQ(parsed->log->info, wanted.log->info);
  EXPECT_EQ(parsed->log->warning, wanted.log->warning);
  EXPECT_EQ(parsed->log->error, wanted.log->error);
  EXPECT_EQ(parsed->log->verbose_level, wanted.log->verbose_level);
  EXPECT_EQ(parsed->log->format, wanted.log->format);
  EXPECT_EQ(parsed->log->file, wanted.log->file);
  ASSERT_TRUE(parsed->models.has_value());
  ASSERT_EQ(parsed->models->size(), wanted.models->size());
  for (size_t i = 0; i < wanted.models->size(); ++i) {
    EXPECT_EQ((*parsed->models)[i].name, (*wanted.models)[i].name);
    EXPECT_EQ((*parsed->models)[i].with.config_json, (*wanted.models)[i].with.config_json);
    EXPECT_EQ((*parsed->models)[i].with.files, (*wanted.models)[i].with.files);
  }
  ASSERT_EQ(parsed->regions.size(), wanted.regions.size());
  for (size_t i = 0; i < wanted.regions.size(); ++i) {
    const SharedMemoryInfo &left = parsed->regions[i], &right = wanted.regions[i];
    EXPECT_EQ(left.kind, right.kind);
    EXPECT_EQ(left.name, right.name);
    EXPECT_EQ(left.key, right.key);
    EXPECT_EQ(left.offset, right.offset);
    EXPECT_EQ(left.byte_size, right.byte_size);
    EXPECT_EQ(left.device, right.device);
    EXPECT_EQ(left.handle, right.handle);
  }
}

TEST(ProcessStateTest, WhatIsAbsentStaysAbsent) {
  const auto parsed = ParseProcessState(SerializeProcessState({}));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_FALSE(parsed->log.has_value());
  EXPECT_FALSE(parsed->models.has_value()) << "no models is not the same as nothing said of them";
  ProcessState none;
  none.models.emplace();
  EXPECT_TRUE(ParseProcessState(SerializeProcessState(none))->models.has_value());
}

TEST(ProcessStateTest, DamagedBytesAreRefused) {
  const std::string bytes = SerializeProcessState(Full());
  for (size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_TRUE(absl::IsInvalidArgument(ParseProcessState(bytes.substr(0, size)).status())) << size;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(ParseProcessState(bytes + "x").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ParseProcessState("something else").status()));
}

TEST(ProcessStateTest, LengthsThatLieCostNothing) {
  std::string bytes = SerializeProcessState({});
  // Whatever eight bytes are overwritten: an answer, and no memory for what is not there.
  for (size_t at = 0; at + 8 <= bytes.size(); ++at) {
    std::string wrong = bytes;
    wrong.replace(at, 8, 8, '\xff');
    static_cast<void>(ParseProcessState(wrong));
  }
}

}  // namespace
}  // namespace nereid
