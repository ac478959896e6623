#pragma once

#include <onnxruntime_cxx_api.h>

#include <memory>
#include <vector>

#include "backend/batch_responses.h"
#include "backend/scratch.h"
#include "backends/onnxruntime/ort_options.h"
#include "backends/onnxruntime/ort_plan.h"
#include "backends/onnxruntime/ort_session.h"
#include "nereid/backend.h"

namespace nereid::ort {

// Runs batches on a session that other instances of the model use, too. A batch of one request is
// fed from the request's own bytes and answered with what ONNX Runtime wrote: into the response's
// buffer when the size was known, otherwise in the library's own block, which the response then
// owns.
class OrtInstance : public Instance {
 public:
  // `plan` outlives the instance. May throw Ort::Exception.
  OrtInstance(std::shared_ptr<Session> session, const Plan& plan,
              const std::map<std::string, std::string>& run_entries);

  absl::Status Execute(Batch& batch) override;

 private:
  absl::Status Run(Batch& batch);
  absl::Status Feed(const Batch& batch);
  absl::StatusOr<BatchTensor> FindTensor(const Batch& batch, size_t slot, bool* is_absent);
  absl::Status PrepareOutputs(Batch& batch, const BatchResponses& responses);
  absl::Status PrepareOutput(Batch& batch, const OutputSlot& slot);
  absl::Status Answer(BatchResponses& responses, bool single);

  const std::shared_ptr<Session> session_;
  const Plan& plan_;
  Ort::RunOptions run_options_;
  Ort::MemoryInfo host_;
  std::vector<Scratch> scratch_;  // one for each input

  // Of the batch in work; kept to reuse their memory.
  std::vector<const char*> input_names_;
  std::vector<Ort::Value> input_values_;
  std::vector<const OutputSlot*> output_slots_;
  std::vector<const char*> output_names_;
  std::vector<Ort::Value> output_values_;
  std::vector<Buffer> output_buffers_;  // of the response; without data: ONNX Runtime allocates
};

}  // namespace nereid::ort
