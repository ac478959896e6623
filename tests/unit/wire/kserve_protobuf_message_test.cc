#include "wire/kserve_protobuf_message.h"

#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "common/strings.h"
#include "proto/grpc_service.pb.h"
#include "support/segmented_payload.h"

namespace nereid {
namespace {

using testing::BytesOf;
using testing::OnePiece;
using testing::SegmentedPayload;
using Request = inference::ModelInferRequest;

// The parsed message in the library's own form, so that both can be compared.
void Restore(const ParameterView& from, inference::InferParameter* to) {
  switch (from.value.index()) {
    case 1:
      return to->set_bool_param(std::get<1>(from.value));
    case 2:
      return to->set_int64_param(std::get<2>(from.value));
    case 3:
      return to->set_string_param(std::string(std::get<3>(from.value)));
    case 4:
      return to->set_double_param(std::get<4>(from.value));
    case 5:
      return to->set_uint64_param(std::get<5>(from.value));
  }
}

template <typename Map>
void Restore(const ParameterViews& from, Map* to) {
  for (const ParameterView& parameter : from) {
    Restore(parameter, &(*to)[std::string(parameter.key)]);
  }
}

Request Restore(const InferMessage& message) {
  Request request;
  request.set_model_name(std::string(message.model_name));
  request.set_model_version(std::string(message.model_version));
  request.set_id(std::string(message.id));
  Restore(message.parameters, request.mutable_parameters());
  for (const InputView& view : message.inputs) {
    auto* input = request.add_inputs();
    input->set_name(std::string(view.name));
    input->set_datatype(std::string(view.datatype));
    for (const int64_t dim : view.shape) input->add_shape(dim);
    Restore(view.parameters, input->mutable_parameters());
    for (const std::string_view piece : view.contents.pieces) {
      inference::InferTensorContents contents;
      EXPECT_TRUE(contents.ParseFromArray(piece.data(), static_cast<int>(piece.size())));
      input->mutable_contents()->MergeFrom(contents);
    }
  }
  for (const OutputView& view : message.outputs) {
    auto* output = request.add_outputs();
    output->set_name(std::string(view.name));
    Restore(view.parameters, output->mutable_parameters());
  }
  for (const Payload::Segments& segments : message.raw_inputs) {
    request.add_raw_input_contents(BytesOf(Payload(nullptr, segments)));
  }
  return request;
}

std::array<size_t, ContentsView::kFieldCount + 1> CountsOf(
    const inference::InferTensorContents& contents) {
  return {0,
          static_cast<size_t>(contents.bool_contents_size()),
          static_cast<size_t>(contents.int_contents_size()),
          static_cast<size_t>(contents.int64_contents_size()),
          static_cast<size_t>(contents.uint_contents_size()),
          static_cast<size_t>(contents.uint64_contents_size()),
          static_cast<size_t>(contents.fp32_contents_size()),
          static_cast<size_t>(contents.fp64_contents_size()),
          static_cast<size_t>(contents.bytes_contents_size())};
}

// Both readers agree on whether `bytes` is a message, and on what it says.
void ExpectSameAsLibrary(const std::string& bytes, std::mt19937& random) {
  Request expected;
  const bool accepted = expected.ParseFromString(bytes);
  InferMessage message;
  const Payload payload = SegmentedPayload(bytes, [&] { return 1 + random() % 40; });
  const absl::Status status = ParseInferMessage(payload, message);
  ASSERT_EQ(status.ok(), accepted) << status << "\n" << expected.DebugString();
  if (!accepted) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return;
  }
  expected.DiscardUnknownFields();
  Request restored = Restore(message);
  restored.DiscardUnknownFields();
  // By bytes first: a NaN differs from itself.
  if (restored.SerializeAsString() != expected.SerializeAsString()) {
    ASSERT_EQ(restored.ShortDebugString(), expected.ShortDebugString());
  }
  for (int i = 0; i < expected.inputs_size(); ++i) {
    EXPECT_EQ(message.inputs[i].contents.element_count, CountsOf(expected.inputs(i).contents()));
    EXPECT_EQ(message.inputs[i].contents.present(), expected.inputs(i).has_contents());
  }
}

class Generator {
 public:
  explicit Generator(std::mt19937& random) : random_(random) {}

  Request Make() {
    Request request;
    request.set_model_name(Text());
    if (Coin()) request.set_model_version(std::to_string(random_() % 100));
    if (Coin()) request.set_id(Text());
    Fill(request.mutable_parameters());
    for (int i = Count(4); i > 0; --i) Fill(request.add_inputs());
    for (int i = Count(4); i > 0; --i) {
      auto* output = request.add_outputs();
      output->set_name(Text());
      Fill(output->mutable_parameters());
    }
    for (int i = Count(4); i > 0; --i) request.add_raw_input_contents(Text(300));
    return request;
  }

 private:
  bool Coin() { return random_() % 2 == 0; }
  int Count(int below) { return static_cast<int>(random_() % below); }
  int64_t Number() {
    const int64_t wide = static_cast<int64_t>((uint64_t{random_()} << 32) | random_());
    return wide >> (random_() % 64);
  }
  std::string Text(size_t max = 20) {
    static constexpr const char* kPieces[] = {"a", "INPUT", "0", "é", "€", "😀", " "};
    std::string text;
    for (size_t i = random_() % max; i > 0; --i) text += kPieces[random_() % 7];
    return text;
  }

  template <typename Map>
  void Fill(Map* parameters) {
    for (int i = Count(3); i > 0; --i) {
      inference::InferParameter& value = (*parameters)[Text(6)];
      switch (random_() % 6) {
        case 0:
          value.set_bool_param(Coin());
          break;
        case 1:
          value.set_int64_param(Number());
          break;
        case 2:
          value.set_string_param(Text());
          break;
        case 3:
          value.set_double_param(static_cast<double>(Number()) / 3);
          break;
        case 4:
          value.set_uint64_param(static_cast<uint64_t>(Number()));
          break;
      }
    }
  }

  void Fill(Request::InferInputTensor* input) {
    input->set_name(Text());
    input->set_datatype("FP32");
    for (int i = Count(5); i > 0; --i) input->add_shape(Number());
    Fill(input->mutable_parameters());
    if (Coin()) return;
    auto* contents = input->mutable_contents();
    for (int i = Count(4); i > 0; --i) contents->add_bool_contents(Coin());
    for (int i = Count(4); i > 0; --i) contents->add_int_contents(static_cast<int>(Number()));
    for (int i = Count(4); i > 0; --i) contents->add_int64_contents(Number());
    for (int i = Count(4); i > 0; --i) contents->add_uint_contents(random_());
    for (int i = Count(4); i > 0; --i) contents->add_uint64_contents(Number());
    for (int i = Count(4); i > 0; --i) contents->add_fp32_contents(static_cast<float>(Number()));
    for (int i = Count(4); i > 0; --i) contents->add_fp64_contents(static_cast<double>(Number()));
    for (int i = Count(4); i > 0; --i) contents->add_bytes_contents(Text());
  }

  std::mt19937& random_;
};

void Mutate(std::string& bytes, std::mt19937& random) {
  for (int i = 1 + static_cast<int>(random() % 3); i > 0 && !bytes.empty(); --i) {
    const size_t at = random() % bytes.size();
    switch (random() % 6) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
        break;
      case 2:
        bytes.erase(at, 1 + random() % 4);
        break;
      case 3:
        bytes.insert(at, 1, static_cast<char>(random()));
        break;
      case 4:
        bytes.resize(at);
        break;
      case 5:
        bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 16));
        break;
    }
  }
}

TEST(ParseInferMessage, ReadsWhatTheLibraryWrites) {
  std::mt19937 random(1);
  Generator generator(random);
  for (int i = 0; i < 2000; ++i) {
    ASSERT_NO_FATAL_FAILURE(ExpectSameAsLibrary(generator.Make().SerializeAsString(), random));
  }
}

TEST(ParseInferMessage, AgreesWithTheLibraryOnDamagedMessages) {
  const google::protobuf::LogSilencer no_words_about_damage;
  std::mt19937 random(2);
  Generator generator(random);
  for (int i = 0; i < 30000; ++i) {
    std::string bytes = generator.Make().SerializeAsString();
    Mutate(bytes, random);
    ASSERT_NO_FATAL_FAILURE(ExpectSameAsLibrary(bytes, random)) << "case " << i;
  }
}

std::string Key(uint32_t number, int type) {
  return std::string(1, static_cast<char>(number << 3 | type));
}

TEST(ParseInferMessage, RefusesWhatIsNotAMessage) {
  const struct {
    const char* what;
    std::string bytes;
  } kCases[] = {
      {"a key that is cut short", "\x80"},
      {"a key of six bytes", "\x8a\x80\x80\x80\x80\x01"},
      {"field number 0", Key(0, 2) + std::string(1, '\0')},
      {"wire type 6", Key(9, 6)},
      {"wire type 7", Key(9, 7)},
      {"a length beyond the end", Key(7, 2) + "\x7f"},
      {"a length of 2^31", Key(7, 2) + "\x80\x80\x80\x80\x08"},
      {"a length of 2^63", Key(7, 2) + "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"},
      {"a varint of eleven bytes", Key(9, 0) + std::string(10, '\x80') + "\x01"},
      {"a string that is not UTF-8", Key(1, 2) + "\x02\xc3\x28"},
      {"the end of a group that did not begin", Key(9, 4)},
      {"a group that does not end", Key(9, 3)},
      {"a group that ends as another", Key(9, 3) + Key(10, 4)},
      {"groups nested without end", std::string(100000, Key(9, 3)[0])},
      {"a tensor that ends within its name", Key(5, 2) + "\x02" + Key(1, 2) + "\x05"},
      {"packed floats of seven bytes",
       Key(5, 2) + "\x0b" + Key(5, 2) + "\x09" + Key(6, 2) + "\x07" + std::string(7, 'x')},
  };
  for (const auto& row : kCases) {
    InferMessage message;
    const absl::Status status = ParseInferMessage(OnePiece(row.bytes), message);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << row.what;
  }
}

TEST(ParseInferMessage, PassesOverUnknownFieldsAndGroups) {
  Request request;
  request.set_model_name("m");
  const std::string group = Key(9, 3) + Key(10, 3) + Key(1, 0) + "\x05" + Key(10, 4) + Key(9, 4);
  const std::string bytes = group + request.SerializeAsString() + Key(11, 5) + "1234" + Key(12, 1) +
                            "12345678" + Key(1, 0) + "\x07";
  InferMessage message;
  ASSERT_TRUE(ParseInferMessage(OnePiece(bytes), message).ok());
  EXPECT_EQ(message.model_name, "m");
}

TEST(ParseInferMessage, LeavesRawTensorsWhereTheyArrived) {
  Request request;
  request.add_raw_input_contents(std::string(1000, 'x'));
  const std::string bytes = request.SerializeAsString();
  const Payload payload = SegmentedPayload(bytes, [] { return 300; });
  InferMessage message;
  ASSERT_TRUE(ParseInferMessage(payload, message).ok());
  ASSERT_EQ(message.raw_inputs.size(), 1u);
  ASSERT_EQ(message.raw_inputs[0].size(), 4u);
  for (size_t i = 1; i < 4; ++i) {
    EXPECT_EQ(message.raw_inputs[0][i].data(), payload.segments()[i].data());
  }
}

TEST(ParseInferMessage, KeepsTheMessageAliveThroughItsStorage) {
  Request request;
  request.set_model_name("a name that is longer than any short string");
  InferMessage message;
  std::weak_ptr<const void> owner;
  {
    const Payload payload = SegmentedPayload(request.SerializeAsString(), [] { return 5; });
    owner = payload.owner();
    ASSERT_TRUE(ParseInferMessage(payload, message).ok());
  }
  EXPECT_FALSE(owner.expired());
  EXPECT_EQ(message.model_name, request.model_name());
  message.storage = nullptr;
  EXPECT_TRUE(owner.expired());
}

TEST(ParseInferMessage, TakesTheLastOfEqualKeysAndFields) {
  Request first, second;
  first.set_id("one");
  (*first.mutable_parameters())["k"].set_int64_param(1);
  second.set_id("two");
  (*second.mutable_parameters())["k"].set_bool_param(true);
  InferMessage message;
  ASSERT_TRUE(
      ParseInferMessage(OnePiece(first.SerializeAsString() + second.SerializeAsString()), message)
          .ok());
  EXPECT_EQ(message.id, "two");
  ASSERT_EQ(message.parameters.size(), 1u);
  EXPECT_EQ(message.parameters[0].value, ParameterChoice(true));
}

// Two bytes on the wire must not cost hundreds in memory without bound.
TEST(ParseInferMessage, LimitsWhatAMessageMayHold) {
  const std::string empty_field(1, '\0');
  const auto repeat = [](const std::string& field, size_t count) {
    std::string bytes;
    for (size_t i = 0; i < count; ++i) bytes += field;
    return bytes;
  };
  std::string parameters;
  for (size_t i = 0; i <= kMaxMessageParameters; ++i) {
    Request one;
    (*one.mutable_parameters())[std::to_string(i)].set_bool_param(true);
    parameters += one.SerializeAsString();
  }
  Request dims;
  for (size_t i = 0; i <= kMaxMessageDims; ++i) {
    if (i == 0) dims.add_inputs();
    dims.mutable_inputs(0)->add_shape(1);
  }
  const struct {
    std::string bytes;
    const char* text;
  } kCases[] = {
      {repeat(Key(5, 2) + empty_field, kMaxMessageTensors + 1), "too many inputs"},
      {repeat(Key(6, 2) + empty_field, kMaxMessageTensors + 1), "too many outputs"},
      {repeat(Key(7, 2) + empty_field, kMaxMessageTensors + 1), "too many raw_input_contents"},
      {parameters, "too many parameters"},
      {dims.SerializeAsString(), "too many dimensions"},
  };
  for (const auto& row : kCases) {
    InferMessage message;
    const absl::Status status = ParseInferMessage(OnePiece(row.bytes), message);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(Message(status).find(row.text), std::string_view::npos) << status;
  }
}

}  // namespace
}  // namespace nereid
