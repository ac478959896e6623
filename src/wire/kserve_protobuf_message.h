#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <variant>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "nereid/buffer.h"
#include "nereid/shape.h"
#include "wire/kserve_protobuf_reader.h"

namespace nereid {

// Counts above these are refused: each entry costs many times the bytes that it takes on the wire.
inline constexpr size_t kMaxMessageTensors = 4096;
inline constexpr size_t kMaxMessageParameters = 1024;
inline constexpr size_t kMaxMessageDims = 256;

// The value of an InferParameter; the index in the variant is the number of the field, 0 for none.
using ParameterChoice =
    std::variant<std::monostate, bool, int64_t, std::string_view, double, uint64_t>;

struct ParameterView {
  std::string_view key;
  ParameterChoice value;
};
// In order of arrival, each key once: of equal keys the last value counts.
using ParameterViews = absl::InlinedVector<ParameterView, 1>;

// The typed data of one input: where it lies, and how many elements each field has.
struct ContentsView {
  static constexpr int kFieldCount = 8;
  // Every occurrence of the field; together they are one InferTensorContents message.
  absl::InlinedVector<std::string_view, 1> pieces;
  std::array<size_t, kFieldCount + 1> element_count{};  // by field number

  bool present() const { return !pieces.empty(); }
};

struct InputView {
  std::string_view name;
  std::string_view datatype;
  Shape shape;
  ParameterViews parameters;
  ContentsView contents;
};

struct OutputView {
  std::string_view name;
  ParameterViews parameters;
};

// A ModelInferRequest as it lies in the message: names and numbers are decoded, everything else
// points into the message's own bytes.
struct InferMessage {
  std::string_view model_name;
  std::string_view model_version;
  std::string_view id;
  ParameterViews parameters;
  absl::InlinedVector<InputView, 2> inputs;
  absl::InlinedVector<OutputView, 2> outputs;
  absl::InlinedVector<Payload::Segments, 2> raw_inputs;
  // Keeps everything above alive: the message, and what had to be joined.
  std::shared_ptr<const void> storage;
};

// Reads the message. INVALID_ARGUMENT for what the protobuf library would refuse (broken encoding,
// strings that are not UTF-8) and for counts above the limits.
absl::Status ParseInferMessage(const Payload& bytes, InferMessage& message);

}  // namespace nereid
