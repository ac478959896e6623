#include "infer/request_validator.h"

#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "infer/raw_input.h"
#include "infer/string_elements.h"

namespace nereid {
namespace {

using Input = InferRequest::Input;

constexpr std::string_view kBatchDimensionNote =
    "NOTE: Setting a non-zero max_batch_size in the model config requires a batch dimension to be "
    "prepended to each input shape. If you want to specify the full shape including the batch dim "
    "in your input dims config, try setting max_batch_size to zero. See the model configuration "
    "docs for more info on max_batch_size.";

// Below this many names comparing all pairs is cheaper than a set, and allocates nothing.
constexpr size_t kPairwiseLimit = 16;

// The first name that comes twice; empty when there is none.
template <typename Tensors>
const std::string_view* FindRepeatedName(const Tensors& tensors) {
  if (tensors.size() <= kPairwiseLimit) {
    for (size_t i = 1; i < tensors.size(); ++i) {
      for (size_t k = 0; k < i; ++k) {
        if (tensors[i].name == tensors[k].name) return &tensors[i].name;
      }
    }
    return nullptr;
  }
  absl::flat_hash_set<std::string_view> seen;
  for (const auto& tensor : tensors) {
    if (!seen.insert(tensor.name).second) return &tensor.name;
  }
  return nullptr;
}

std::string QuotedList(const std::vector<std::string_view>& names) {
  std::string out = "[";
  for (std::string_view name : names) {
    if (out.size() > 1) out += ',';
    out.append("'").append(name).append("'");
  }
  return out + "]";
}

enum class CountOutcome { kOk, kNegative, kOverflow };

CountOutcome CountElements(absl::Span<const int64_t> shape, int64_t& count) {
  count = 1;
  for (int64_t extent : shape) {
    if (extent < 0) return CountOutcome::kNegative;
    if (__builtin_mul_overflow(count, extent, &count)) return CountOutcome::kOverflow;
  }
  return CountOutcome::kOk;
}

// The checks on one request. Methods stand in the order in which they run.
class Validation {
 public:
  Validation(const ModelConfig& config, InferRequest& request)
      : config_(config), request_(request) {}

  absl::Status Run() {
    NEREID_RETURN_IF_ERROR(CheckTensorsNamedOnce(request_));
    if (request_.is_raw_input) {
      if (absl::Status status = DeduceRawInput(config_, request_); !status.ok()) {
        return Fault(Message(status));
      }
    }
    NEREID_RETURN_IF_ERROR(LinkOutputs());
    NEREID_RETURN_IF_ERROR(CheckInputCount());
    NEREID_RETURN_IF_ERROR(LinkInputs());
    NEREID_RETURN_IF_ERROR(CheckBatchSize());
    for (Input& input : request_.inputs) {
      NEREID_RETURN_IF_ERROR(CheckDataType(input));
      NEREID_RETURN_IF_ERROR(CheckShape(input));
      NEREID_RETURN_IF_ERROR(CheckByteSize(input));
      if (input.spec->reshape) Reshape(input);
    }
    return absl::OkStatus();
  }

 private:
  // INVALID_ARGUMENT with the request-id prefix.
  template <typename... Parts>
  absl::Status Fault(const Parts&... parts) const {
    return absl::InvalidArgumentError(StrCat(RequestIdPrefix(request_), parts...));
  }

  std::string_view NameOf(const Input& input) const {
    return request_.is_raw_input ? kRawInputName : input.name;
  }

  bool LeadsWithBatch(const Input& input) const {
    return config_.max_batch_size() > 0 && !input.spec->is_shape_tensor;
  }

  absl::Status LinkOutputs() {
    for (InferRequest::RequestedOutput& output : request_.requested_outputs) {
      output.spec = config_.FindOutput(output.name);
      if (output.spec == nullptr) {
        return absl::InvalidArgumentError(StrCat("unexpected inference output '", output.name,
                                                 "' for model '", config_.name(), "'"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckInputCount() const {
    const size_t count = request_.inputs.size();
    const size_t most = config_.inputs().size();
    const size_t least = static_cast<size_t>(config_.required_input_count());
    if (count >= least && count <= most) return absl::OkStatus();

    std::vector<std::string_view> got, missing;
    for (const Input& input : request_.inputs) got.push_back(NameOf(input));
    for (const TensorSpec& spec : config_.inputs()) {
      if (!spec.optional && request_.FindInput(spec.name) == nullptr) missing.push_back(spec.name);
    }
    const std::string expected =
        least == most ? StrCat("expected ", most, " inputs")
                      : StrCat("expected number of inputs between ", least, " and ", most);
    return Fault(expected, " but got ", count, " inputs for model '", config_.name(),
                 "'. Got input(s) ", QuotedList(got), ", but missing required input(s) ",
                 QuotedList(missing), ". Please provide all required input(s).");
  }

  // Names, and the batch size that all inputs agree on.
  absl::Status LinkInputs() {
    bool batch_is_known = false;
    request_.batch_size = 1;
    for (Input& input : request_.inputs) {
      input.spec = config_.FindInput(input.name);
      if (input.spec == nullptr) {
        return absl::InvalidArgumentError(StrCat("unexpected inference input '", input.name,
                                                 "' for model '", config_.name(), "'"));
      }
      if (!LeadsWithBatch(input)) continue;
      if (input.shape.empty()) {
        return Fault("input '", NameOf(input),
                     "' has no shape but model requires batch dimension for '", config_.name(),
                     "'");
      }
      if (!batch_is_known) {
        request_.batch_size = input.shape[0];
        batch_is_known = true;
      } else if (request_.batch_size != input.shape[0]) {
        return Fault("input '", NameOf(input), "' batch size does not match other inputs for '",
                     config_.name(), "'");
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckBatchSize() const {
    if (config_.max_batch_size() == 0 || request_.batch_size <= config_.max_batch_size()) {
      return absl::OkStatus();
    }
    return Fault("inference request batch-size must be <= ", config_.max_batch_size(), " for '",
                 config_.name(), "'");
  }

  absl::Status CheckDataType(const Input& input) const {
    if (input.data_type == input.spec->data_type) return absl::OkStatus();
    return Fault("inference input '", NameOf(input), "' data-type is '",
                 ProtocolName(input.data_type), "', but model '", config_.name(), "' expects '",
                 ProtocolName(input.spec->data_type), "'");
  }

  absl::Status CheckShape(const Input& input) const {
    for (int64_t extent : input.shape) {
      if (extent == -1) {
        return Fault("All input dimensions should be specified for input '", NameOf(input),
                     "' for model '", config_.name(), "', got ", ShapeToString(input.shape));
      }
    }
    const Shape& dims = input.spec->dims;
    const size_t lead = LeadsWithBatch(input) ? 1 : 0;
    bool fits = input.shape.size() == dims.size() + lead;
    for (size_t i = 0; fits && i < dims.size(); ++i) {
      fits = dims[i] == -1 || dims[i] == input.shape[i + lead];
    }
    if (fits) return absl::OkStatus();

    Shape expected = dims;
    if (lead == 1) expected.insert(expected.begin(), -1);
    return Fault("unexpected shape for input '", NameOf(input), "' for model '", config_.name(),
                 "'. Expected ", ShapeToString(expected), ", got ", ShapeToString(input.shape),
                 ". ", config_.max_batch_size() > 0 ? kBatchDimensionNote : std::string_view());
  }

  absl::Status CheckByteSize(const Input& input) const {
    int64_t count = 0;
    NEREID_RETURN_IF_ERROR(CountElementsOf(input, input.shape, count));
    if (input.spec->is_non_linear) return absl::OkStatus();
    // A batch of no rows is accepted only where a row is empty as well: what is expected is stated
    // for one row, unless it is just one row that came.
    if (LeadsWithBatch(input) && input.shape[0] == 0) {
      int64_t row_count = 0;
      NEREID_RETURN_IF_ERROR(
          CountElementsOf(input, absl::MakeConstSpan(input.shape).subspan(1), row_count));
      if (absl::Status status = CheckData(input, row_count); !status.ok()) return status;
    }
    return CheckData(input, count);
  }

  absl::Status CountElementsOf(const Input& input, absl::Span<const int64_t> shape,
                               int64_t& count) const {
    const bool is_bytes = input.data_type == DataType::kBytes;
    const CountOutcome outcome = CountElements(shape, count);
    if (outcome == CountOutcome::kNegative) {
      return absl::InvalidArgumentError(
          StrCat("tensor '", NameOf(input), "' contains an invalid dimension ",
                 is_bytes ? "in shape " : "", ShapeToString(input.shape)));
    }
    int64_t byte_size = 0;
    const int64_t element_size = static_cast<int64_t>(ElementByteSize(input.data_type));
    if (outcome == CountOutcome::kOverflow ||
        __builtin_mul_overflow(count, element_size, &byte_size)) {
      return absl::InvalidArgumentError(
          StrCat(is_bytes ? "element count" : "byte size", " for tensor '", NameOf(input),
                 "' exceeds maximum size of ", std::numeric_limits<int64_t>::max()));
    }
    return absl::OkStatus();
  }

  // That the data holds `count` elements; the byte size of `count` elements is known to fit.
  absl::Status CheckData(const Input& input, int64_t count) const {
    if (input.data_type == DataType::kBytes) return CheckStrings(input, count);
    const uint64_t expected = static_cast<uint64_t>(count) * ElementByteSize(input.data_type);
    if (input.data.byte_size() == expected) return absl::OkStatus();
    return Fault("input byte size mismatch for input '", NameOf(input), "' for model '",
                 config_.name(), "'. Expected ", expected, ", got ", input.data.byte_size());
  }

  absl::Status CheckStrings(const Input& input, int64_t count) const {
    using Outcome = StringElementScan::Outcome;
    if (!input.data.place().HostAccessible()) return absl::OkStatus();
    const StringElementScan scan = ScanStringElements(input.data, count);
    if (scan.outcome == Outcome::kComplete && scan.element_count == count) return absl::OkStatus();

    const std::string where =
        StrCat("for inference input '", NameOf(input), "' for model '", config_.name(), "', ");
    switch (scan.outcome) {
      case Outcome::kTruncatedLength:
        return Fault("incomplete string length indicator ", where, "expecting 4 bytes but only ",
                     scan.available_size,
                     " bytes available. Please make sure the string length indicator is in one "
                     "buffer.");
      case Outcome::kTooMany:
        return Fault("unexpected number of string elements ", scan.element_count, " ", where,
                     "expecting ", count);
      case Outcome::kTruncatedElement:
        return Fault("incomplete string data ", where, "expecting string of length ",
                     scan.declared_size, " but only ", scan.available_size, " bytes available");
      case Outcome::kComplete:
        break;
    }
    return Fault("expected ", count, " string elements ", where, "got ", scan.element_count);
  }

  // Variable extents of the new shape take the request's, left to right.
  void Reshape(Input& input) const {
    const Shape& dims = input.spec->dims;
    const size_t lead = LeadsWithBatch(input) ? 1 : 0;
    Shape shape;
    if (lead == 1) shape.push_back(input.shape[0]);
    size_t next = 0;
    for (int64_t extent : *input.spec->reshape) {
      if (extent != -1) {
        shape.push_back(extent);
        continue;
      }
      while (next < dims.size() && dims[next] != -1) ++next;
      shape.push_back(next < dims.size() ? input.shape[lead + next++] : 1);
    }
    input.shape = std::move(shape);
  }

  const ModelConfig& config_;
  InferRequest& request_;
};

}  // namespace

absl::Status CheckTensorsNamedOnce(const InferRequest& request) {
  const std::string_view* name = FindRepeatedName(request.inputs);
  std::string_view what = "input";
  if (name == nullptr) {
    name = FindRepeatedName(request.requested_outputs);
    what = "output";
  }
  if (name == nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat(RequestIdPrefix(request), what, " '", *name, "' already exists in request"));
}

absl::Status ValidateRequest(const std::shared_ptr<const ModelConfig>& config,
                             InferRequest& request) {
  NEREID_RETURN_IF_ERROR(Validation(*config, request).Run());
  request.config = config;
  return absl::OkStatus();
}

std::string RequestIdPrefix(const InferRequest& request) {
  return StrCat("[request id: ", request.id.empty() ? std::string_view("<id_unknown>") : request.id,
                "] ");
}

}  // namespace nereid
