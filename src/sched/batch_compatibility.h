#pragma once

#include <cstddef>
#include <vector>

#include "nereid/model_config.h"
#include "nereid/request.h"

namespace nereid {

// Which requests of one model may execute together. Decided once per model: most compare nothing.
//  - Inputs with a variable extent that are not ragged: the same shape, apart from the batch.
//  - Shape tensors: the same shape and the same contents, which must lie in one block that the
//    host can read; otherwise they count as different.
//  - Models with optional inputs: the same set of inputs.
class BatchCompatibility {
 public:
  // `config` must outlive this.
  explicit BatchCompatibility(const ModelConfig& config);

  // True when any two requests may share a batch.
  bool always() const { return !compares_presence_ && compared_.empty(); }

  // Both requests were validated against the configuration.
  bool MayShare(const InferRequest& a, const InferRequest& b) const;

 private:
  bool Equal(const TensorSpec& spec, const InferRequest::Input& a,
             const InferRequest::Input& b) const;

  bool compares_presence_ = false;
  bool leads_with_batch_ = false;
  std::vector<const TensorSpec*> compared_;
};

}  // namespace nereid
