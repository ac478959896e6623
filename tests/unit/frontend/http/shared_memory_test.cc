#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/strings.h"
#include "support/fake_cuda.h"
#include "support/http_fixture.h"
#include "support/shared_memory_object.h"

namespace nereid {
namespace {

using testing::FakeCuda;
using testing::kInferPath;
using testing::RawResponse;
using testing::SharedMemoryObject;

constexpr char kJson[] = "application/json";
constexpr char kText[] = "text/plain";

// 64 bytes, byte i being i, and what clients write for them.
std::vector<std::byte> CountingBytes() {
  std::vector<std::byte> bytes(64);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  return bytes;
}

std::string Base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<uint8_t>(c);
    for (count += 8; count >= 6; count -= 6) text += kDigits[bits >> (count - 6) & 63];
  }
  if (count > 0) text += kDigits[bits << (6 - count) & 63];
  while (text.size() % 4 != 0) text += '=';
  return text;
}

class HttpSharedMemoryTest : public testing::HttpFixture {
 protected:
  HttpSharedMemoryTest() { server.allows_client_memory = true; }

  RawResponse Register(std::string_view region, uint64_t byte_size, uint64_t offset = 0) {
    return Post(StrCat("/v2/systemsharedmemory/region/", region, "/register"),
                StrCat(R"({"key":")", object_.key(), R"(","offset":)", offset, R"(,"byte_size":)",
                       byte_size, "}"));
  }
  static std::string Range(std::string_view region, uint64_t offset, uint64_t byte_size) {
    return StrCat(R"("parameters":{"shared_memory_region":")", region,
                  R"(","shared_memory_offset":)", offset, R"(,"shared_memory_byte_size":)",
                  byte_size, "}");
  }
  // FP32 [1,4] from `input`; OUTPUT0 as `output` says.
  RawResponse Infer(const std::string& input, const std::string& output) {
    return Post(kInferPath,
                StrCat(R"({"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,4],)", input,
                       R"(}],"outputs":[{"name":"OUTPUT0",)", output, "}]}"));
  }

  SharedMemoryObject object_{2 * 4096};
};

TEST_F(HttpSharedMemoryTest, RegionsComeAndGo) {
  const RawResponse registered = Register("b%20c", 64, 4096);
  EXPECT_EQ(registered.status, 200);
  EXPECT_EQ(registered.body, "");
  EXPECT_EQ(Register("a", 4096).status, 200);
  const std::string a =
      StrCat(R"({"name":"a","key":")", object_.key(), R"(","offset":0,"byte_size":4096})");
  const std::string b =
      StrCat(R"({"name":"b c","key":")", object_.key(), R"(","offset":4096,"byte_size":64})");
  EXPECT_EQ(Get("/v2/systemsharedmemory/status").body, StrCat("[", a, ",", b, "]"));
  EXPECT_EQ(Get("/v2/systemsharedmemory/region/a/status").body, StrCat("[", a, "]"));
  EXPECT_EQ(Get("/v2/cudasharedmemory/status").body, "[]");
  ExpectError(Get("/v2/cudasharedmemory/region/a/status"), 404,
              "The region named 'a' is registered as system shared memory, not CUDA shared memory",
              kJson);
  ExpectError(Register("a", 64), 400, "shared memory region 'a' already in manager", kJson);
  EXPECT_EQ(Post("/v2/cudasharedmemory/unregister", "").status, 200);
  EXPECT_EQ(Post("/v2/systemsharedmemory/region/a/unregister", "").status, 200);
  EXPECT_EQ(Post("/v2/systemsharedmemory/region/a/unregister", "").status, 200);
  EXPECT_EQ(Get("/v2/systemsharedmemory/status").body, StrCat("[", b, "]"));
  EXPECT_EQ(Post("/v2/systemsharedmemory/unregister", "").status, 200);
  EXPECT_EQ(Get("/v2/systemsharedmemory/status").body, "[]");
}

TEST_F(HttpSharedMemoryTest, BodiesSayWhatIsMissing) {
  const std::string missing = "Shared memory register request has no '";
  struct Row {
    std::string kind, body;
    int status;
    std::string text;
  };
  const std::string handle = R"("raw_handle":{"b64":"x"})";
  const Row rows[] = {
      {"system", "[1]", 400, missing + "key' field"},
      {"system", R"({"byte_size":1})", 400, missing + "key' field"},
      {"system", R"({"key":"/k"})", 400, missing + "byte_size' field"},
      {"system", R"({"key":null,"byte_size":1})", 500,
       "attempt to access JSON non-string as string"},
      {"system", R"({"key":"/k","byte_size":1.5})", 500,
       "attempt to access JSON non-unsigned-integer as unsigned-integer"},
      {"system", R"({"key":"/k","offset":-1,"byte_size":1})", 500,
       "attempt to access JSON non-unsigned-integer as unsigned-integer"},
      {"cuda", "{}", 400, missing + "raw_handle' field"},
      {"cuda", R"({"raw_handle":"x"})", 500, "attempt to get members for non-object"},
      {"cuda", R"({"raw_handle":{}})", 500, "attempt to access non-existing object member 'b64'"},
      {"cuda", R"({"raw_handle":{"b64":1}})", 500, "attempt to access JSON non-string as string"},
      {"cuda", StrCat("{", handle, "}"), 400, missing + "byte_size' field"},
      {"cuda", StrCat("{", handle, R"(,"byte_size":1})"), 400, missing + "device_id' field"},
      {"cuda", StrCat("{", handle, R"(,"byte_size":1,"device_id":"0"})"), 500,
       "attempt to access JSON non-signed-integer as signed-integer"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.body);
    ExpectError(Post(StrCat("/v2/", row.kind, "sharedmemory/region/r/register"), row.body),
                row.status, row.text, kJson);
  }
  EXPECT_EQ(Post("/v2/systemsharedmemory/region/r/register", "{").status, 500);
  for (const std::string kind : {"system", "cuda"}) {
    ExpectError(Post(StrCat("/v2/", kind, "sharedmemory/register"), "junk"), 400,
                StrCat("'region name' is necessary to register ", kind, " shared memory region"),
                kJson);
  }
}

TEST_F(HttpSharedMemoryTest, TensorsLieInRegions) {
  ASSERT_EQ(Register("r", 4096).status, 200);
  for (int i = 0; i < 4; ++i) object_.As<float>()[i] = static_cast<float>(i) + 0.5f;
  const RawResponse response = Infer(Range("r", 0, 16), Range("r", 32, 16));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.Header("content-type"), kJson);
  EXPECT_EQ(response.body, R"({"model_name":"m","model_version":"3","outputs":[{"name":"OUTPUT0",)"
                           R"("datatype":"FP32","shape":[1,4]}]})");
  EXPECT_EQ(std::memcmp(object_.data() + 32, object_.data(), 16), 0);

  EXPECT_NE(Infer(Range("r", 0, 16), R"("parameters":{})").body.find(R"("data":[0.5,1.5,2.5,3.5])"),
            std::string::npos);
  EXPECT_EQ(Infer(R"("data":[4,3,2,1])", Range("r", 64, 16)).status, 200);
  EXPECT_EQ(object_.As<float>(64)[0], 4.0f);
  EXPECT_EQ(object_.As<float>(64)[3], 1.0f);
}

TEST_F(HttpSharedMemoryTest, WrongRangesAreRefused) {
  ASSERT_EQ(Register("r", 64).status, 200);
  const std::string here = Range("r", 0, 16);
  ExpectError(Infer(Range("x", 0, 16), here), 404, "Unable to find shared memory region: 'x'",
              kJson);
  ExpectError(Infer(here, Range("r", 64, 16)), 400, "Invalid offset for shared memory region: 'r'",
              kJson);
  ExpectError(Infer(Range("r", 60, 16), here), 400,
              "Invalid offset + byte size for shared memory region: 'r'", kJson);
  ExpectError(Infer(here, Range("r", 16, 15)), 500,
              "shared memory size specified with the request for output 'OUTPUT0' (15 bytes) "
              "should be at least 16 bytes to hold the results",
              kJson);
  EXPECT_TRUE(server.regions.Status(SharedMemoryKind::kSystem, "r").ok());
  EXPECT_EQ(Post("/v2/systemsharedmemory/unregister", "").status, 200);
  EXPECT_FALSE(server.regions.Status(SharedMemoryKind::kSystem, "r").ok())
      << "no failed request may hold on to a region";
}

TEST_F(HttpSharedMemoryTest, ARegionIsFreeOnceTheAnswerIsThere) {
  for (const bool fails : {false, true}) {
    if (fails) server.infer_status = absl::UnavailableError("not now");
    ASSERT_EQ(Register("r", 4096).status, 200);
    // Held until after the answer, as an instance holds its batch.
    model->set_behaviour([&](std::unique_ptr<InferRequest> request) {
      const Payload input = request->inputs[0].data;
      testing::AnswerIdentity(std::move(request));
      server.regions.Unregister(SharedMemoryKind::kSystem, "r");
      EXPECT_FALSE(server.regions.Status(SharedMemoryKind::kSystem, "r").ok());
      EXPECT_EQ(input.data()[0], object_.data()[0]);
    });
    EXPECT_EQ(Infer(Range("r", 0, 16), Range("r", 32, 16)).status, fails ? 503 : 200);
    server.regions.Unregister(SharedMemoryKind::kSystem, "r");
    EXPECT_FALSE(server.regions.Status(SharedMemoryKind::kSystem, "r").ok());
  }
}

TEST_F(HttpSharedMemoryTest, CudaRegions) {
  FakeCuda cuda;
  std::vector<std::byte> memory = CountingBytes();
  const std::string raw_handle = cuda.Share(memory);
  const auto body = [&](std::string_view handle, uint64_t byte_size) {
    return StrCat(R"({"raw_handle":{"b64":")", handle, R"("},"device_id":1,"byte_size":)",
                  byte_size, "}");
  };
  const std::string path = "/v2/cudasharedmemory/region/g/register";
  const std::string good = Base64(raw_handle);
  const std::string malformed = "'raw_handle' must be a valid base64 encoded cudaIpcMemHandle_t";
  for (const std::string& bad : {std::string(), good.substr(4), good + good, "!" + good,
                                 Base64(raw_handle + "x"), good.substr(0, 84)}) {
    ExpectError(Post(path, body(bad, 64)), 400, malformed, kJson);
  }
  ExpectError(Post(path, body(good, 65)), 400,
              "failed to register shared memory region: invalid args", kJson);
  ASSERT_EQ(Post(path, body(good, 64)).status, 200);
  EXPECT_EQ(Get("/v2/cudasharedmemory/status").body,
            R"([{"name":"g","device_id":1,"byte_size":64}])");

  // From the GPU to the GPU, to JSON, and from JSON to the GPU.
  const std::vector<std::byte> before = memory;
  EXPECT_EQ(Infer(Range("g", 0, 16), Range("g", 32, 16)).status, 200);
  EXPECT_EQ(std::memcmp(memory.data() + 32, before.data(), 16), 0);
  const float values[] = {1, 2, 3, 4};
  EXPECT_EQ(Infer(R"("data":[1,2,3,4])", Range("g", 16, 16)).status, 200);
  EXPECT_EQ(std::memcmp(memory.data() + 16, values, 16), 0);
  const RawResponse as_text = Infer(Range("g", 16, 16), R"("parameters":{})");
  EXPECT_NE(as_text.body.find(R"("data":[1.0,2.0,3.0,4.0])"), std::string::npos) << as_text.body;
  EXPECT_EQ(Post("/v2/cudasharedmemory/unregister", "").status, 200);
  EXPECT_EQ(cuda.opened(), 0);
}

TEST_F(HttpSharedMemoryTest, RefusalsOfTheBackendStillComeAsText) {
  ASSERT_EQ(Register("r", 4096).status, 200);
  model->set_behaviour([](std::unique_ptr<InferRequest> request) {
    std::thread([request = std::move(request)]() mutable {
      request->Fail(absl::InternalError("broken"));
    }).join();
  });
  ExpectError(Infer(Range("r", 0, 16), Range("r", 32, 16)), 500, "broken", kText);
}

}  // namespace
}  // namespace nereid
