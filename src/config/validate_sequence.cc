#include <set>
#include <string>

#include "common/status_macros.h"
#include "config/invalid.h"
#include "config/validate.h"
#include "config/validate_parts.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

using inference::ModelConfig;
using inference::ModelSequenceBatching;
using Control = ModelSequenceBatching::Control;

// The three ways to write the pair of values for false and true.
struct PairField {
  std::string_view name;
  int (*size)(const Control&);
};
constexpr PairField kPairFields[] = {
    {"int32_false_true", [](const Control& c) { return c.int32_false_true_size(); }},
    {"fp32_false_true", [](const Control& c) { return c.fp32_false_true_size(); }},
    {"bool_false_true", [](const Control& c) { return c.bool_false_true_size(); }},
};
constexpr std::string_view kAnyPair = "'int32_false_true', 'fp32_false_true' or 'bool_false_true'";

absl::Status ValidatePairControl(const Control& control, const std::string& kind,
                                 const std::string& model) {
  const PairField* used = nullptr;
  for (const PairField& field : kPairFields) {
    if (field.size(control) == 0) continue;
    if (used != nullptr) {
      return Invalid(
          "sequence batching specifies more than one from 'int32_false_true', "
          "'fp32_false_true' and 'bool_false_true' for ",
          kind, " for ", model);
    }
    used = &field;
  }
  if (used == nullptr) {
    return Invalid("sequence batching must specify either ", kAnyPair, " for ", kind, " for ",
                   model);
  }
  if (used->size(control) == 2) return absl::OkStatus();
  return Invalid("sequence batching control '", used->name, "' must have exactly 2 entries for ",
                 kind, " for ", model);
}

absl::Status ValidateCorrelationControl(const Control& control, const std::string& kind,
                                        const std::string& model) {
  for (const PairField& field : kPairFields) {
    if (field.size(control) == 0) continue;
    return Invalid("sequence batching must not specify either ", kAnyPair, " for ", kind, " for ",
                   model);
  }
  switch (control.data_type()) {
    case inference::TYPE_UINT64:
    case inference::TYPE_INT64:
    case inference::TYPE_UINT32:
    case inference::TYPE_INT32:
    case inference::TYPE_STRING:
      return absl::OkStatus();
    default:
      return Invalid("unexpected data type for control ", kind, " for ", model,
                     ". Allowed data types are TYPE_UINT64, TYPE_INT64, TYPE_UINT32, TYPE_INT32 "
                     "and TYPE_STRING");
  }
}

absl::Status ValidateControlNames(const ModelSequenceBatching& batching, const std::string& model) {
  std::set<std::string> names;
  for (const auto& input : batching.control_input()) {
    if (input.name().empty()) {
      return Invalid("sequence batching control tensor must have a name for ", model);
    }
    if (!names.insert(input.name()).second) {
      return Invalid("sequence batching control tensor '", input.name(),
                     "' is specified for multiple control kinds for ", model);
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateControlKind(const ModelSequenceBatching& batching, Control::Kind kind,
                                 const std::string& model) {
  const std::string& kind_name = Control::Kind_Name(kind);
  bool seen = false;
  for (const auto& input : batching.control_input()) {
    for (const Control& control : input.control()) {
      if (control.kind() != kind) continue;
      if (seen) {
        return Invalid("sequence batching specifies multiple ", kind_name, " tensors for ", model);
      }
      seen = true;
      NEREID_RETURN_IF_ERROR(kind == Control::CONTROL_SEQUENCE_CORRID
                                 ? ValidateCorrelationControl(control, kind_name, model)
                                 : ValidatePairControl(control, kind_name, model));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateStrategy(const ModelConfig& config) {
  const ModelSequenceBatching& batching = config.sequence_batching();
  for (const int size : batching.oldest().preferred_batch_size()) {
    if (size <= 0) {
      return Invalid("sequence batching preferred batch size must be positive for ", config.name());
    }
    if (size > config.max_batch_size()) {
      return Invalid("sequence batching preferred batch size must be <= max batch size for ",
                     config.name());
    }
  }
  const float utilization = batching.direct().minimum_slot_utilization();
  if (utilization >= 0 && utilization <= 1) return absl::OkStatus();
  return Invalid("sequence batching minimum slot utilization must be in range (0.0, 1.0] for ",
                 config.name());
}

using State = ModelSequenceBatching::State;
using InitialState = ModelSequenceBatching::InitialState;

absl::Status ValidateInitialDims(const State& state, const InitialState& initial) {
  if (initial.dims_size() != state.dims_size()) {
    return Invalid(
        "Number of dimensions in 'initial_state' doesn't match the size of 'state' "
        "dimensions for state input '",
        state.input_name(), "'. ", initial.dims_size(), " != ", state.dims_size());
  }
  for (int i = 0; i < state.dims_size(); ++i) {
    if (initial.dims(i) == -1) {
      return Invalid("'initial_state' field for state input name '", state.input_name(),
                     "' contains variable dimensions.");
    }
    if (state.dims(i) != -1 && state.dims(i) != initial.dims(i)) {
      return Invalid("'initial_state' dim for input name '", state.input_name(),
                     "' doesn't match 'state' dim description. ", initial.dims(i),
                     " != ", state.dims(i));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateInitialState(const State& state, const InitialState& initial) {
  if (initial.data_type() != state.data_type()) {
    return Invalid("The data type used for 'initial_state' field of state '", state.input_name(),
                   "' does not match the state data type.");
  }
  if (initial.name().empty()) {
    return Invalid("Field 'name' must be set when using initial_state for state input '",
                   state.input_name(), "'.");
  }
  NEREID_RETURN_IF_ERROR(ValidateInitialDims(state, initial));
  if (initial.state_data_case() != InitialState::STATE_DATA_NOT_SET) return absl::OkStatus();
  return Invalid("initial_state setting expects state'", state.input_name(),
                 "' to have state_data set");
}

}  // namespace

namespace config_internal {

absl::Status ValidateSequenceBatching(const ModelConfig& config) {
  if (!config.has_sequence_batching()) return absl::OkStatus();
  if (config.response_cache().enable()) {
    return Invalid("Response Cache does not currently support model ", config.name(),
                   " with sequence batching scheduler. Please disable the response cache.");
  }
  NEREID_RETURN_IF_ERROR(ValidateControlNames(config.sequence_batching(), config.name()));
  for (const Control::Kind kind :
       {Control::CONTROL_SEQUENCE_START, Control::CONTROL_SEQUENCE_END,
        Control::CONTROL_SEQUENCE_READY, Control::CONTROL_SEQUENCE_CORRID}) {
    NEREID_RETURN_IF_ERROR(ValidateControlKind(config.sequence_batching(), kind, config.name()));
  }
  return ValidateStrategy(config);
}

}  // namespace config_internal

absl::Status ValidateSequenceState(const ModelConfig& config) {
  std::set<std::string> with_initial_state;
  for (const State& state : config.sequence_batching().state()) {
    if (state.initial_state_size() > 1) {
      return Invalid("initial_state field for state input '", state.input_name(),
                     "' must contain exactly one or zero element. Found '",
                     state.initial_state_size(), "' elements.");
    }
    if (state.initial_state().empty()) continue;
    NEREID_RETURN_IF_ERROR(ValidateInitialState(state, state.initial_state(0)));
    if (!with_initial_state.insert(state.input_name()).second) {
      return Invalid("State input name '", state.input_name(), "' specified more than once.");
    }
  }
  return absl::OkStatus();
}

}  // namespace nereid
