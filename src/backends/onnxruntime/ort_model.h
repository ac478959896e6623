#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "backends/onnxruntime/ort_plan.h"
#include "backends/onnxruntime/ort_session.h"
#include "nereid/backend.h"

namespace nereid::ort {

// One version of an ONNX model: a session that all its instances share, so that weights are in
// memory once and the intra-op threads are as many as the model asked for, however many instances
// there are.
class OrtModel : public Model {
 public:
  static absl::StatusOr<std::unique_ptr<OrtModel>> Load(
      std::shared_ptr<const Environment> environment, const ModelContext& context);

  absl::StatusOr<std::unique_ptr<Instance>> CreateInstance(const InstanceContext& context) override;
  MemoryEstimate MemoryUsage() const override;

 private:
  OrtModel() = default;

  std::shared_ptr<const ModelConfig> config_;
  std::shared_ptr<Session> session_;
  Plan plan_;
  std::map<std::string, std::string> run_entries_;
  uint64_t file_bytes_ = 0;
};

}  // namespace nereid::ort
