#include "wire/kserve_json_request.h"

#include <simdjson.h>

#include <charconv>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "wire/json_syntax.h"
#include "wire/json_value.h"
#include "wire/kserve_json_decoder.h"

namespace nereid {
namespace {

static_assert(kJsonPadding >= simdjson::SIMDJSON_PADDING);

// The tree of a document takes up to fourteen times its size: larger documents are walked in place.
constexpr size_t kMaxTreeSize = size_t{4} << 20;
// A parser that has grown beyond this is not kept.
constexpr size_t kMaxKeptSize = size_t{256} << 10;

// simdjson's view of a value, with JsonValue's interface.
class TreeValue {
 public:
  explicit TreeValue(simdjson::dom::element element) : element_(element) {}

  bool IsObject() const { return element_.is_object(); }
  bool IsArray() const { return element_.is_array(); }

  bool GetBool(bool* value) const { return element_.get_bool().get(*value) == simdjson::SUCCESS; }
  bool GetUint(uint64_t* value) const {
    return element_.get_uint64().get(*value) == simdjson::SUCCESS;
  }
  bool GetInt(int64_t* value) const {
    return element_.get_int64().get(*value) == simdjson::SUCCESS;
  }
  bool GetDouble(double* value) const {
    return element_.get_double().get(*value) == simdjson::SUCCESS;
  }
  bool GetString(std::string* /*scratch*/, std::string_view* value) const {
    return element_.get_string().get(*value) == simdjson::SUCCESS;
  }

  template <typename Visitor>
  void ForEachElement(Visitor visit) const {
    simdjson::dom::array array;
    if (element_.get_array().get(array) != simdjson::SUCCESS) return;
    for (simdjson::dom::element element : array) {
      if (!visit(TreeValue(element))) return;
    }
  }

  template <typename Visitor>
  void ForEachMember(std::string* /*scratch*/, Visitor visit) const {
    simdjson::dom::object object;
    if (element_.get_object().get(object) != simdjson::SUCCESS) return;
    for (const simdjson::dom::key_value_pair& member : object) {
      if (!visit(member.key, TreeValue(member.value))) return;
    }
  }

  template <typename Visitor>
  ScalarVisit VisitScalars(int max_depth, Visitor visit) const {
    simdjson::dom::array array;
    if (element_.get_array().get(array) != simdjson::SUCCESS) {
      return visit(*this) ? ScalarVisit::kDone : ScalarVisit::kStopped;
    }
    return VisitArray(array, max_depth, visit);
  }

 private:
  template <typename Visitor>
  static ScalarVisit VisitArray(simdjson::dom::array array, int depth_left, Visitor& visit) {
    if (depth_left == 0) return ScalarVisit::kTooDeep;
    for (simdjson::dom::element element : array) {
      simdjson::dom::array inner;
      if (element.get_array().get(inner) != simdjson::SUCCESS) {
        if (!visit(TreeValue(element))) return ScalarVisit::kStopped;
        continue;
      }
      const ScalarVisit outcome = VisitArray(inner, depth_left - 1, visit);
      if (outcome != ScalarVisit::kDone) return outcome;
    }
    return ScalarVisit::kDone;
  }

  simdjson::dom::element element_;
};

// The calling thread's parser, with the memory it has from earlier documents.
class ThreadParser {
 public:
  // The root of `text`; false for what simdjson does not take. Valid until the next call.
  bool Parse(std::string_view text, simdjson::dom::element* root) {
    if (parser_ == nullptr) parser_ = std::make_unique<simdjson::dom::parser>();
    const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
    return parser_->parse(bytes, text.size(), false).get(*root) == simdjson::SUCCESS;
  }
  void TrimAfter(size_t text_size) {
    if (text_size > kMaxKeptSize) parser_.reset();
  }

 private:
  std::unique_ptr<simdjson::dom::parser> parser_;
};

absl::Status TooLarge(std::string_view what, uint64_t byte_size, std::string_view verb,
                      uint64_t limit) {
  return absl::InvalidArgumentError(StrCat(
      what, byte_size, verb, limit, " bytes. Use --http-max-input-size to increase the limit."));
}

absl::Status DecodeRaw(const JsonInferBody& body, const std::shared_ptr<const ModelConfig>& config,
                       const JsonInferLimits& limits, InferRequest& request, OutputFormat& format) {
  if (body.bytes.size() > limits.max_input_size) {
    return RawInputTooLarge(body.bytes.size(), limits.max_input_size);
  }
  request.storage = config;
  request.is_raw_input = true;
  const auto* data = reinterpret_cast<const std::byte*>(body.bytes.data());
  request.inputs.emplace_back().data = Payload(body.owner, data, body.bytes.size());
  format.binary_by_default = true;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JsonInferBody> DivideInferBody(std::shared_ptr<const void> owner,
                                              std::string_view bytes,
                                              std::optional<std::string_view> header_length) {
  JsonInferBody body{std::move(owner), bytes, bytes.size(), bytes.empty()};
  if (!header_length) return body;

  constexpr std::string_view kHeader = "Unable to parse Inference-Header-Content-Length, ";
  std::string_view digits = *header_length;
  if (digits.starts_with('+') && digits.size() > 1 && digits[1] != '-') digits.remove_prefix(1);
  int32_t length = 0;
  const std::errc error = std::from_chars(digits.data(), digits.data() + digits.size(), length).ec;
  if (error == std::errc::result_out_of_range) {
    return absl::InvalidArgumentError(
        StrCat(kHeader, "value is out of range [ ", std::numeric_limits<int32_t>::min(), ", ",
               std::numeric_limits<int32_t>::max(), " ], got: ", *header_length));
  }
  if (error != std::errc()) {
    return absl::InvalidArgumentError(StrCat(kHeader, "got: ", *header_length));
  }
  if (length < 0 || static_cast<size_t>(length) > bytes.size()) {
    return absl::InvalidArgumentError(
        StrCat("inference header size should be in range (0, ", bytes.size(), "), got: ", length));
  }
  body.json_size = static_cast<size_t>(length);
  body.is_raw = length == 0;
  return body;
}

absl::Status DecodeInferBody(const JsonInferBody& body,
                             const std::shared_ptr<const ModelConfig>& config,
                             const JsonInferLimits& limits, InferRequest& request,
                             OutputFormat& format, SharedTensors* shared) {
  if (body.is_raw) return DecodeRaw(body, config, limits, request, format);
  if (body.json_size > limits.max_input_size) {
    return JsonTooLarge(body.json_size, limits.max_input_size);
  }
  const std::string_view json = body.bytes.substr(0, body.json_size);
  if (json.size() <= kMaxTreeSize) {
    thread_local ThreadParser parser;
    simdjson::dom::element root;
    if (parser.Parse(json, &root)) {
      absl::Status status =
          KserveJsonDecoder<TreeValue>(body, config, limits, request, format, shared)
              .Decode(TreeValue(root));
      parser.TrimAfter(json.size());
      return status;
    }
    parser.TrimAfter(json.size());
  }
  // Too large for a tree, not JSON, or JSON only in the wider sense of the protocol.
  NEREID_ASSIGN_OR_RETURN(const JsonValue root, JsonValue::Parse(json));
  return KserveJsonDecoder<JsonValue>(body, config, limits, request, format, shared).Decode(root);
}

absl::Status JsonTooLarge(uint64_t byte_size, uint64_t limit) {
  return TooLarge("request JSON size of ", byte_size,
                  " bytes exceeds the maximum allowed input size of ", limit);
}

absl::Status RawInputTooLarge(uint64_t byte_size, uint64_t limit) {
  return TooLarge("Raw input has a byte_size (", byte_size,
                  " bytes) that exceeds the maximum allowed value of ", limit);
}

}  // namespace nereid
