#include "wire/kserve_protobuf_message.h"

#include <bit>
#include <utility>

#include "common/strings.h"
#include "common/utf8.h"
#include "wire/kserve_protobuf_contents.h"

namespace nereid {
namespace {

constexpr auto kVarint = ProtobufType::kVarint;
constexpr auto kBytes = ProtobufType::kBytes;
constexpr auto kFixed64 = ProtobufType::kFixed64;

// One message on its way from bytes to views. `problem` says why Parse() returned false.
class Parser {
 public:
  explicit Parser(InferMessage& message) : message_(message) {}

  bool Parse(ProtobufReader& reader) {
    return ReadProtobufFields(reader, [&](uint32_t key) { return ReadTopField(reader, key); });
  }
  std::string_view problem() const { return problem_; }

 private:
  bool ReadTopField(ProtobufReader& reader, uint32_t key) {
    switch (key) {
      case ProtobufKey(1, kBytes):
        return ReadString(reader, &message_.model_name);
      case ProtobufKey(2, kBytes):
        return ReadString(reader, &message_.model_version);
      case ProtobufKey(3, kBytes):
        return ReadString(reader, &message_.id);
      case ProtobufKey(4, kBytes):
        return ReadMapEntry(reader, message_.parameters);
      case ProtobufKey(5, kBytes):
        return message_.inputs.size() < kMaxMessageTensors
                   ? ReadInput(reader, message_.inputs.emplace_back())
                   : Refuse("it has too many inputs");
      case ProtobufKey(6, kBytes):
        return message_.outputs.size() < kMaxMessageTensors
                   ? ReadOutput(reader, message_.outputs.emplace_back())
                   : Refuse("it has too many outputs");
      case ProtobufKey(7, kBytes):
        return message_.raw_inputs.size() < kMaxMessageTensors
                   ? reader.ReadSegments(&message_.raw_inputs.emplace_back())
                   : Refuse("it has too many raw_input_contents");
    }
    return reader.Skip(key);
  }

  bool ReadInput(ProtobufReader& outer, InputView& input) {
    std::string_view bytes;
    if (!outer.ReadBytes(&bytes)) return false;
    ProtobufReader reader(bytes);
    return ReadProtobufFields(reader, [&](uint32_t key) {
      switch (key) {
        case ProtobufKey(1, kBytes):
          return ReadString(reader, &input.name);
        case ProtobufKey(2, kBytes):
          return ReadString(reader, &input.datatype);
        case ProtobufKey(3, kVarint):
          return ReadDim(reader, input.shape);
        case ProtobufKey(3, kBytes):
          return ReadPackedDims(reader, input.shape);
        case ProtobufKey(4, kBytes):
          return ReadMapEntry(reader, input.parameters);
        case ProtobufKey(5, kBytes):
          return reader.ReadBytes(&input.contents.pieces.emplace_back()) &&
                 CountElements(input.contents.pieces.back(), input.contents);
      }
      return reader.Skip(key);
    });
  }

  bool ReadOutput(ProtobufReader& outer, OutputView& output) {
    std::string_view bytes;
    if (!outer.ReadBytes(&bytes)) return false;
    ProtobufReader reader(bytes);
    return ReadProtobufFields(reader, [&](uint32_t key) {
      switch (key) {
        case ProtobufKey(1, kBytes):
          return ReadString(reader, &output.name);
        case ProtobufKey(2, kBytes):
          return ReadMapEntry(reader, output.parameters);
      }
      return reader.Skip(key);
    });
  }

  bool ReadMapEntry(ProtobufReader& outer, ParameterViews& parameters) {
    std::string_view bytes;
    if (!outer.ReadBytes(&bytes)) return false;
    ProtobufReader reader(bytes);
    ParameterView entry;
    const bool ok = ReadProtobufFields(reader, [&](uint32_t key) {
      if (key == ProtobufKey(1, kBytes)) return ReadString(reader, &entry.key);
      if (key == ProtobufKey(2, kBytes)) return ReadParameter(reader, entry.value);
      return reader.Skip(key);
    });
    return ok && Insert(entry, parameters);
  }

  bool Insert(const ParameterView& entry, ParameterViews& parameters) {
    for (ParameterView& known : parameters) {
      if (known.key == entry.key) {
        known.value = entry.value;
        return true;
      }
    }
    if (parameters.size() == kMaxMessageParameters) return Refuse("it has too many parameters");
    parameters.push_back(entry);
    return true;
  }

  bool ReadParameter(ProtobufReader& outer, ParameterChoice& value) {
    std::string_view bytes;
    if (!outer.ReadBytes(&bytes)) return false;
    ProtobufReader reader(bytes);
    return ReadProtobufFields(reader, [&](uint32_t key) {
      uint64_t bits = 0;
      switch (key) {
        case ProtobufKey(1, kVarint):
          if (!reader.ReadVarint(&bits)) return false;
          value = bits != 0;
          return true;
        case ProtobufKey(2, kVarint):
          if (!reader.ReadVarint(&bits)) return false;
          value = static_cast<int64_t>(bits);
          return true;
        case ProtobufKey(3, kBytes):
          return ReadString(reader, &value.emplace<std::string_view>());
        case ProtobufKey(4, kFixed64):
          if (!reader.ReadFixed64(&bits)) return false;
          value = std::bit_cast<double>(bits);
          return true;
        case ProtobufKey(5, kVarint):
          if (!reader.ReadVarint(&bits)) return false;
          value = bits;
          return true;
      }
      return reader.Skip(key);
    });
  }

  bool ReadPackedDims(ProtobufReader& outer, Shape& shape) {
    std::string_view bytes;
    if (!outer.ReadBytes(&bytes)) return false;
    ProtobufReader reader(bytes);
    while (!reader.AtEnd()) {
      if (!ReadDim(reader, shape)) return false;
    }
    return true;
  }

  bool ReadDim(ProtobufReader& reader, Shape& shape) {
    uint64_t value;
    if (!reader.ReadVarint(&value)) return false;
    if (shape.size() == kMaxMessageDims) return Refuse("a shape has too many dimensions");
    shape.push_back(static_cast<int64_t>(value));
    return true;
  }

  bool ReadString(ProtobufReader& reader, std::string_view* text) {
    if (!reader.ReadBytes(text)) return false;
    return IsValidUtf8(*text) || Refuse("a string is not valid UTF-8");
  }

  bool Refuse(std::string_view problem) {
    problem_ = problem;
    return false;
  }

  InferMessage& message_;
  std::string_view problem_ = "its encoding is broken";
};

}  // namespace

absl::Status ParseInferMessage(const Payload& bytes, InferMessage& message) {
  StitchedStrings stitched;
  ProtobufReader reader(bytes.segments(), &stitched);
  Parser parser(message);
  if (!parser.Parse(reader)) {
    return absl::InvalidArgumentError(
        StrCat("failed to parse the ModelInferRequest message: ", parser.problem()));
  }
  message.storage = bytes.owner();
  if (!stitched.empty()) {
    using Kept = std::pair<std::shared_ptr<const void>, StitchedStrings>;
    message.storage = std::make_shared<const Kept>(bytes.owner(), std::move(stitched));
  }
  return absl::OkStatus();
}

}  // namespace nereid
