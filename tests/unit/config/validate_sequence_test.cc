#include <gtest/gtest.h>

#include "config/validate.h"
#include "validate_rows.h"

namespace nereid {
namespace {

using testing::ExpectMessages;
using testing::Model;

std::string Sequence(const std::string& text) {
  return Model("max_batch_size: 4 sequence_batching { " + text + " }");
}

std::string Control(const std::string& name, const std::string& control) {
  return "control_input { name: \"" + name + "\" control { " + control + " } } ";
}

TEST(ValidateSequenceBatching, ControlMessages) {
  const std::string start = "kind: CONTROL_SEQUENCE_START ";
  const std::string corrid = "kind: CONTROL_SEQUENCE_CORRID ";
  ExpectMessages(
      {
          {Sequence("control_input { control { kind: CONTROL_SEQUENCE_START } }"),
           "sequence batching control tensor must have a name for m"},
          {Sequence(Control("T", start + "int32_false_true: [ 0, 1 ]") +
                    Control("T", "kind: CONTROL_SEQUENCE_END int32_false_true: [ 0, 1 ]")),
           "sequence batching control tensor 'T' is specified for multiple control kinds for m"},
          {Sequence(Control("A", start + "int32_false_true: [ 0, 1 ]") +
                    Control("B", start + "int32_false_true: [ 0, 1 ]")),
           "sequence batching specifies multiple CONTROL_SEQUENCE_START tensors for m"},
          {Sequence(Control("A", corrid + "data_type: TYPE_INT32") +
                    Control("B", corrid + "data_type: TYPE_INT32")),
           "sequence batching specifies multiple CONTROL_SEQUENCE_CORRID tensors for m"},
          {Sequence(Control("A", start)),
           "sequence batching must specify either 'int32_false_true', 'fp32_false_true' or "
           "'bool_false_true' for CONTROL_SEQUENCE_START for m"},
          {Sequence(Control("A",
                            "kind: CONTROL_SEQUENCE_READY int32_false_true: [ 0, 1 ] "
                            "bool_false_true: [ false, true ]")),
           "sequence batching specifies more than one from 'int32_false_true', 'fp32_false_true' "
           "and "
           "'bool_false_true' for CONTROL_SEQUENCE_READY for m"},
          {Sequence(Control("A", "kind: CONTROL_SEQUENCE_END int32_false_true: 0")),
           "sequence batching control 'int32_false_true' must have exactly 2 entries for "
           "CONTROL_SEQUENCE_END for m"},
          {Sequence(Control("A", start + "fp32_false_true: [ 0, 1, 2 ]")),
           "sequence batching control 'fp32_false_true' must have exactly 2 entries for "
           "CONTROL_SEQUENCE_START for m"},
          {Sequence(Control("A", start + "bool_false_true: [ true ]")),
           "sequence batching control 'bool_false_true' must have exactly 2 entries for "
           "CONTROL_SEQUENCE_START for m"},
          {Sequence(Control("A", corrid + "data_type: TYPE_INT32 int32_false_true: [ 0, 1 ]")),
           "sequence batching must not specify either 'int32_false_true', 'fp32_false_true' or "
           "'bool_false_true' for CONTROL_SEQUENCE_CORRID for m"},
          {Sequence(Control("A", corrid + "data_type: TYPE_FP32")),
           "unexpected data type for control CONTROL_SEQUENCE_CORRID for m. Allowed data types are "
           "TYPE_UINT64, TYPE_INT64, TYPE_UINT32, TYPE_INT32 and TYPE_STRING"},
          // The first kind in the order START, END, READY, CORRID answers.
          {Sequence(Control("A", "kind: CONTROL_SEQUENCE_READY") + Control("B", start)),
           "sequence batching must specify either 'int32_false_true', 'fp32_false_true' or "
           "'bool_false_true' for CONTROL_SEQUENCE_START for m"},
          {Sequence(Control("A", corrid + "data_type: TYPE_STRING") +
                    Control("B", start + "bool_false_true: [ false, true ]")),
           ""},
      },
      ValidateConfig);
}

TEST(ValidateSequenceBatching, StrategyMessages) {
  const std::string utilization =
      "sequence batching minimum slot utilization must be in range (0.0, 1.0] for m";
  ExpectMessages(
      {
          {Sequence("oldest { preferred_batch_size: 0 }"),
           "sequence batching preferred batch size must be positive for m"},
          {Sequence("oldest { preferred_batch_size: 5 }"),
           "sequence batching preferred batch size must be <= max batch size for m"},
          {Sequence("direct { minimum_slot_utilization: -0.5 }"), utilization},
          {Sequence("direct { minimum_slot_utilization: 1.5 }"), utilization},
          {Sequence("direct { minimum_slot_utilization: nan }"), utilization},
          {Sequence("direct { minimum_slot_utilization: 0 }"), ""},
          {Sequence("direct { minimum_slot_utilization: 1 }"), ""},
          {Sequence("oldest {}"), ""},
          {Sequence(""), ""},
      },
      ValidateConfig);
}

std::string State(const std::string& initial, const std::string& dims = "dims: [ 2, -1 ]") {
  return Sequence("state { input_name: \"I\" output_name: \"O\" data_type: TYPE_FP32 " + dims +
                  " " + initial + " }");
}

std::string Initial(const std::string& text) {
  return "initial_state { name: \"n\" data_type: TYPE_FP32 " + text + " }";
}

TEST(ValidateSequenceState, Messages) {
  const std::string good = Initial("dims: [ 2, 3 ] zero_data: true");
  ExpectMessages(
      {
          {State(good + good),
           "initial_state field for state input 'I' must contain exactly one or zero element. "
           "Found '2' "
           "elements."},
          {State("initial_state { name: \"n\" data_type: TYPE_INT8 }"),
           "The data type used for 'initial_state' field of state 'I' does not match the state "
           "data "
           "type."},
          {State("initial_state { data_type: TYPE_FP32 }"),
           "Field 'name' must be set when using initial_state for state input 'I'."},
          {State(Initial("dims: 2 zero_data: true")),
           "Number of dimensions in 'initial_state' doesn't match the size of 'state' dimensions "
           "for "
           "state input 'I'. 1 != 2"},
          {State(Initial("dims: [ 2, -1 ] zero_data: true")),
           "'initial_state' field for state input name 'I' contains variable dimensions."},
          {State(Initial("dims: [ 4, 1 ] zero_data: true")),
           "'initial_state' dim for input name 'I' doesn't match 'state' dim description. 4 != 2"},
          {State(Initial("dims: [ 2, 3 ]")),
           "initial_state setting expects state'I' to have state_data set"},
          {Sequence("state { input_name: \"I\" " + Initial("zero_data: true") +
                    " data_type: TYPE_FP32 } state { input_name: \"I\" " +
                    Initial("zero_data: true") + " data_type: TYPE_FP32 }"),
           "State input name 'I' specified more than once."},
          {State(good), ""},
          {State(""), ""},
          {Model(""), ""},
      },
      ValidateSequenceState);
}

}  // namespace
}  // namespace nereid
