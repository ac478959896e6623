// The raw gRPC decoder: any bytes, in segments of any size, are either refused or decoded, and an
// answer to what was decoded can be written. The first byte sets the size of the segments.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "support/fake_sink.h"
#include "support/segmented_payload.h"
#include "wire/kserve_protobuf_message.h"
#include "wire/kserve_protobuf_request.h"
#include "wire/kserve_protobuf_response.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const size_t segment_size = data[0] == 0 ? bytes.size() : data[0];
  nereid::InferMessage message;
  if (!ParseInferMessage(nereid::testing::SegmentedPayload(bytes, [&] { return segment_size; }),
                         message)
           .ok()) {
    return 0;
  }
  const auto record = std::make_shared<nereid::testing::SinkRecord>();
  nereid::InferRequest request(std::make_unique<nereid::testing::FakeSink>(record));
  if (!AddRequestParameters(message, request).ok() || !AddTensors(message, request).ok()) return 0;

  nereid::TensorSpec spec;
  nereid::InferResponse response;
  response.parameters = request.parameters;
  for (const auto& input : request.inputs) {
    response.outputs.push_back({&spec, input.data_type, input.shape, input.data});
  }
  (void)EncodeInferResponse({message.model_name, message.model_version, message.id}, response);
  return 0;
}
