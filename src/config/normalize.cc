#include "config/normalize.h"

#include "config/platforms.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

constexpr uint64_t kDefaultSequenceIdleMicroseconds = 1'000'000;

template <typename Batching>
void DefaultPreferredBatchSize(int max_batch_size, Batching* batching) {
  if (batching->preferred_batch_size().empty() && max_batch_size > 0) {
    batching->add_preferred_batch_size(max_batch_size);
  }
}

void NormalizeSequenceBatching(int max_batch_size, inference::ModelSequenceBatching* sequence) {
  if (sequence->max_sequence_idle_microseconds() == 0) {
    sequence->set_max_sequence_idle_microseconds(kDefaultSequenceIdleMicroseconds);
  }
  if (sequence->has_oldest()) DefaultPreferredBatchSize(max_batch_size, sequence->mutable_oldest());
}

// An empty message means "off", so it is only an absent one that gets the default.
void NormalizePinnedMemory(inference::ModelOptimizationPolicy* policy) {
  if (!policy->has_input_pinned_memory()) policy->mutable_input_pinned_memory()->set_enable(true);
  if (!policy->has_output_pinned_memory()) policy->mutable_output_pinned_memory()->set_enable(true);
}

}  // namespace

void NormalizeConfig(inference::ModelConfig* config) {
  if (!config->has_version_policy()) {
    config->mutable_version_policy()->mutable_latest()->set_num_versions(1);
  }
  if (config->has_dynamic_batching()) {
    DefaultPreferredBatchSize(config->max_batch_size(), config->mutable_dynamic_batching());
  }
  if (config->has_sequence_batching()) {
    NormalizeSequenceBatching(config->max_batch_size(), config->mutable_sequence_batching());
  }
  if (config->platform() != kPlatformEnsemble)
    NormalizePinnedMemory(config->mutable_optimization());
}

}  // namespace nereid
