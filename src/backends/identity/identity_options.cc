#include "backends/identity/identity_options.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::identity {
namespace {

constexpr std::string_view kInputPrefix = "INPUT";
constexpr std::string_view kOutputPrefix = "OUTPUT";
constexpr int64_t kLongestDelayMs = 24 * 3600 * 1000;

absl::Status Refuse(const ModelConfig& config, std::string_view what) {
  return absl::InvalidArgumentError(StrCat("model '", config.name(), "': ", what));
}

absl::StatusOr<Pair> PairOf(const ModelConfig& config, const TensorSpec& output) {
  if (!std::string_view(output.name).starts_with(kOutputPrefix)) {
    return Refuse(config, StrCat("output '", output.name, "' must be named OUTPUT<n>"));
  }
  const std::string wanted = StrCat(kInputPrefix, output.name.substr(kOutputPrefix.size()));
  const TensorSpec* input = config.FindInput(wanted);
  if (input == nullptr) {
    return Refuse(config, StrCat("output '", output.name, "' needs an input '", wanted, "'"));
  }
  if (input->data_type != output.data_type || input->backend_dims() != output.backend_dims()) {
    return Refuse(config,
                  StrCat("'", wanted, "' is ", ConfigName(input->data_type), " ",
                         ShapeToString(input->backend_dims()), ", but '", output.name, "' is ",
                         ConfigName(output.data_type), " ", ShapeToString(output.backend_dims())));
  }
  return Pair{input, &output};
}

absl::StatusOr<int64_t> ReadNumber(const ModelConfig& config, const std::string& name,
                                   int64_t limit) {
  const auto found = config.parameters().find(name);
  if (found == config.parameters().end()) return 0;
  const std::string& text = found->second;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > limit) {
    return Refuse(config, StrCat("parameter '", name, "' must be a number from 0 to ", limit,
                                 ", got '", text, "'"));
  }
  return value;
}

}  // namespace

std::chrono::milliseconds Options::DelayOf(int instance_index) const {
  return execute_delay * std::max<int64_t>(1, delay_multiplier * instance_index);
}

absl::StatusOr<Options> ReadOptions(const ModelConfig& config) {
  Options options;
  for (const TensorSpec& output : config.outputs()) {
    NEREID_ASSIGN_OR_RETURN(Pair pair, PairOf(config, output));
    options.pairs.push_back(pair);
  }
  NEREID_ASSIGN_OR_RETURN(int64_t delay, ReadNumber(config, "execute_delay_ms", kLongestDelayMs));
  options.execute_delay = std::chrono::milliseconds(delay);
  NEREID_ASSIGN_OR_RETURN(options.delay_multiplier,
                          ReadNumber(config, "instance_wise_delay_multiplier", 1000));
  return options;
}

}  // namespace nereid::identity
