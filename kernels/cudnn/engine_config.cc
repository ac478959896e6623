#include "kernels/cudnn/engine_config.h"

#include <charconv>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

struct KnobChoice {
  int64_t knob = 0;
  int64_t value = 0;
};

struct EngineChoice {
  int64_t engine = 0;
  std::vector<KnobChoice> knobs;
};

// Takes a number off the front of `text`.
bool TakeNumber(std::string_view& text, int64_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

bool TakeCharacter(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

absl::StatusOr<EngineChoice> Parse(std::string_view words) {
  EngineChoice choice;
  std::string_view rest = words;
  bool fine = TakeNumber(rest, &choice.engine);
  while (fine && !rest.empty()) {
    KnobChoice& next = choice.knobs.emplace_back();
    fine = TakeCharacter(rest, ' ') && TakeNumber(rest, &next.knob) && TakeCharacter(rest, ':') &&
           TakeNumber(rest, &next.value) && next.knob >= 0 && next.knob < CUDNN_KNOB_TYPE_COUNTS;
  }
  if (fine) return choice;
  return absl::InvalidArgumentError(StrCat("'", words, "' is no engine configuration"));
}

// An attribute that is one number or enumerator.
template <typename T>
absl::StatusOr<T> Get(const CudnnApi& api, cudnnBackendDescriptor_t descriptor,
                      cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type) {
  T value{};
  int64_t count = 0;
  NEREID_RETURN_IF_ERROR(
      CudnnStatus(api.cudnnBackendGetAttribute(descriptor, name, type, 1, &count, &value),
                  "cudnnBackendGetAttribute"));
  return value;
}

absl::StatusOr<int64_t> EngineOf(const CudnnApi& api, const CudnnDescriptor& configuration) {
  NEREID_ASSIGN_OR_RETURN(const CudnnDescriptor engine,
                          CudnnDescriptor::Create(api, CUDNN_BACKEND_ENGINE_DESCRIPTOR));
  cudnnBackendDescriptor_t raw = engine.get();
  int64_t count = 0;
  NEREID_RETURN_IF_ERROR(
      CudnnStatus(api.cudnnBackendGetAttribute(configuration.get(), CUDNN_ATTR_ENGINECFG_ENGINE,
                                               CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &raw),
                  "cudnnBackendGetAttribute"));
  return Get<int64_t>(api, engine.get(), CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64);
}

absl::StatusOr<std::vector<CudnnDescriptor>> KnobChoicesOf(const CudnnApi& api,
                                                           const CudnnDescriptor& configuration) {
  std::vector<CudnnDescriptor> choices;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (int i = 0; i < CUDNN_KNOB_TYPE_COUNTS; ++i) {
    NEREID_ASSIGN_OR_RETURN(CudnnDescriptor one,
                            CudnnDescriptor::Create(api, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR));
    raw.push_back(one.get());
    choices.push_back(std::move(one));
  }
  int64_t count = 0;
  NEREID_RETURN_IF_ERROR(CudnnStatus(
      api.cudnnBackendGetAttribute(configuration.get(), CUDNN_ATTR_ENGINECFG_KNOB_CHOICES,
                                   CUDNN_TYPE_BACKEND_DESCRIPTOR, CUDNN_KNOB_TYPE_COUNTS, &count,
                                   raw.data()),
      "cudnnBackendGetAttribute"));
  choices.erase(choices.begin() + count, choices.end());
  return choices;
}

absl::StatusOr<CudnnDescriptor> MakeKnobChoice(const CudnnApi& api, const KnobChoice& choice) {
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor made,
                          CudnnDescriptor::Create(api, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR));
  const auto knob = static_cast<cudnnBackendKnobType_t>(choice.knob);
  NEREID_RETURN_IF_ERROR(made.Set(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, knob));
  NEREID_RETURN_IF_ERROR(
      made.Set(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, choice.value));
  NEREID_RETURN_IF_ERROR(made.Finalize());
  return made;
}

}  // namespace

absl::StatusOr<std::string> DescribeEngineConfig(const CudnnApi& api,
                                                 const CudnnDescriptor& configuration) {
  NEREID_ASSIGN_OR_RETURN(const int64_t engine, EngineOf(api, configuration));
  NEREID_ASSIGN_OR_RETURN(const auto choices, KnobChoicesOf(api, configuration));
  std::string words = StrCat(engine);
  for (const CudnnDescriptor& choice : choices) {
    NEREID_ASSIGN_OR_RETURN(
        const auto knob,
        Get<cudnnBackendKnobType_t>(api, choice.get(), CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE,
                                    CUDNN_TYPE_KNOB_TYPE));
    NEREID_ASSIGN_OR_RETURN(
        const int64_t value,
        Get<int64_t>(api, choice.get(), CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64));
    StrAppend(&words, " ", static_cast<int>(knob), ":", value);
  }
  return words;
}

absl::StatusOr<CudnnDescriptor> MakeEngineConfig(const CudnnApi& api,
                                                 cudnnBackendDescriptor_t graph,
                                                 std::string_view words,
                                                 const CudnnDescriptor* device_properties) {
  NEREID_ASSIGN_OR_RETURN(const EngineChoice choice, Parse(words));
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor engine,
                          CudnnDescriptor::Create(api, CUDNN_BACKEND_ENGINE_DESCRIPTOR));
  NEREID_RETURN_IF_ERROR(
      engine.Set(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, graph));
  NEREID_RETURN_IF_ERROR(
      engine.Set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, choice.engine));
  if (device_properties != nullptr) {
    NEREID_RETURN_IF_ERROR(engine.Set(CUDNN_ATTR_ENGINE_DEVICEPROP, *device_properties));
  }
  NEREID_RETURN_IF_ERROR(engine.Finalize());
  std::vector<CudnnDescriptor> knobs;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (const KnobChoice& knob : choice.knobs) {
    NEREID_ASSIGN_OR_RETURN(CudnnDescriptor made, MakeKnobChoice(api, knob));
    raw.push_back(made.get());
    knobs.push_back(std::move(made));
  }
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor configuration,
                          CudnnDescriptor::Create(api, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
  NEREID_RETURN_IF_ERROR(configuration.Set(CUDNN_ATTR_ENGINECFG_ENGINE, engine));
  if (!raw.empty()) {
    NEREID_RETURN_IF_ERROR(configuration.Set(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES,
                                             CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                             static_cast<int64_t>(raw.size()), raw.data()));
  }
  NEREID_RETURN_IF_ERROR(configuration.Finalize());
  return configuration;
}

}  // namespace nereid::engine
