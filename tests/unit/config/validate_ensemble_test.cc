#include <gtest/gtest.h>

#include "config/validate.h"
#include "validate_rows.h"

namespace nereid {
namespace {

using testing::ExpectMessages;
using testing::Model;

std::string Step(const std::string& in, const std::string& out) {
  return "step { model_name: \"x\" model_version: -1 input_map { key: \"i\" value: \"" + in +
         "\" } output_map { key: \"o\" value: \"" + out + "\" } } ";
}

std::string Ensemble(const std::string& steps, const std::string& more = "") {
  return "name: \"m\" platform: \"ensemble\" input { name: \"IN\" } output { name: \"OUT\" } " +
         more + " ensemble_scheduling { " + steps + " }";
}

TEST(ValidateEnsemble, MessagesAboutTheModelItself) {
  const std::string good = Step("IN", "OUT");
  ExpectMessages(
      {
          {Model("ensemble_scheduling { " + good + " }"),
           "ensemble scheduling cannot be set for model 'm' whose platform is not ensemble"},
          {Ensemble(good, "instance_group {}"),
           "instance group should not be specified for ensemble 'm'"},
          {Ensemble(good, "optimization {}"),
           "optimization should not be specified for ensemble 'm'"},
          {Ensemble(good, "model_warmup {}"), "model_warmup can not be specified for ensemble 'm'"},
          {Ensemble(""), "must specify 'step' for ensemble 'm'"},
          {"name: \"m\" platform: \"ensemble\"",
           "ensemble scheduling must be set for ensemble m whose platform is ensemble"},
          {Ensemble(good), ""},
      },
      ValidateConfig);
}

TEST(ValidateEnsemble, MessagesAboutSteps) {
  const std::string good = Step("IN", "OUT");
  ExpectMessages(
      {
          {Ensemble(good + "step {}"), "must specify 'model_name' in step 1 of ensemble 'm'"},
          {Ensemble("step { model_name: \"x\" }"),
           "must specify 'input_map' in step 0 of ensemble 'm'"},
          {Ensemble("step { model_name: \"x\" input_map { key: \"i\" value: \"IN\" } }"),
           "must specify 'output_map' in step 0 of ensemble 'm'"},
      },
      ValidateConfig);
}

TEST(ValidateEnsemble, MessagesAboutTheDataFlow) {
  ExpectMessages(
      {
          {Ensemble(Step("IN", "OUT") + Step("IN", "OUT")),
           "ensemble tensor 'OUT' can appear in an output map only once for ensemble 'm' step 1"},
          {Ensemble(Step("A", "OUT")), "ensemble input 'IN' for ensemble m' is not used"},
          {Ensemble(Step("IN", "A")), "ensemble output 'OUT' for ensemble m' is not used"},
          {Ensemble(Step("IN", "A") + Step("OUT", "B")),
           "output 'OUT' for ensemble 'm' is not written"},
          {Ensemble(Step("IN", "A") + Step("B", "OUT")),
           "output 'OUT' for ensemble 'm' is not written: at least one of its depending tensors, "
           "'B', "
           "is not connected"},
          {Ensemble(Step("IN", "A") + Step("B", "C") + Step("C", "B") + Step("A", "OUT")),
           "ensemble tensor 'B' is unused in ensemble 'm'"},
          {Ensemble(Step("IN", "OUT") + Step("IN", "A")),
           "ensemble tensor 'A' is unused in ensemble 'm'"},
          {Ensemble(Step("IN", "A") + Step("A", "B") + Step("B", "OUT")), ""},
          // In any order, and a tensor may feed several steps.
          {Ensemble(Step("B", "OUT") + Step("A", "B") + Step("IN", "A")), ""},
          {Ensemble(Step("IN", "A") +
                    "step { model_name: \"y\" input_map { key: \"p\" value: \"A\" } "
                    "input_map { key: \"q\" value: \"IN\" } "
                    "input_map { key: \"r\" value: \"A\" } "
                    "output_map { key: \"o\" value: \"OUT\" } }"),
           ""},
      },
      ValidateConfig);
}

TEST(ValidateEnsemble, FollowsALongChain) {
  std::string steps;
  std::string previous = "IN";
  for (int i = 0; i < 5000; ++i) {
    const std::string next = "t" + std::to_string(i);
    steps += Step(previous, next);
    previous = next;
  }
  ExpectMessages({{Ensemble(steps + Step(previous, "OUT")), ""}}, ValidateConfig);
}

}  // namespace
}  // namespace nereid
