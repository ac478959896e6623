#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nereid/backend.h"
#include "nereid/model_config.h"

namespace nereid {

// The `model_warmup` samples of a configuration, with their data read and made once for all
// instances. Immutable; any thread.
class WarmupPlan {
 public:
  // Fails when a sample is not usable: open dimensions, missing data source, short, missing or
  // outlying file, more requests than a batch may have.
  // Files are read from `<model_path>/warmup/`.
  static absl::StatusOr<WarmupPlan> Create(const std::shared_ptr<const ModelConfig>& config,
                                           const std::string& model_path);

  // Runs every sample, in order, directly on the instance: no scheduler, no statistics. Fails with
  // "failed to run warmup sample '<name>': <errors>" at the first failing iteration.
  absl::Status Run(Instance& instance) const;

  bool empty() const { return samples_.empty(); }

 private:
  struct Tensor {
    std::string name;
    DataType data_type = DataType::kInvalid;
    Shape shape;
    Buffer data;
  };
  struct Sample {
    std::string name;
    uint32_t batch_size = 0;
    uint32_t count = 1;
    std::vector<Tensor> tensors;
  };

  static absl::Status Failed(const Sample& sample, std::string_view errors);
  absl::Status RunOnce(const Sample& sample, Instance& instance) const;

  std::shared_ptr<const ModelConfig> config_;
  std::vector<Sample> samples_;
};

}  // namespace nereid
