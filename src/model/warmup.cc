#include "model/warmup.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <random>
#include <utility>

#include "backend/guarded.h"
#include "common/file_system.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "infer/request_validator.h"
#include "memory/host_memory.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

// Largest file of warm-up data.
constexpr size_t kMaxFileBytes = size_t{4} << 30;

// Collects how the requests of one iteration ended.
class Outcome {
 public:
  explicit Outcome(size_t expected) : outstanding_(expected) {}

  void Add(const absl::Status& status) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!status.ok()) StrAppend(&errors_, Message(status), "; ");
  }
  void End() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (--outstanding_ == 0) done_.notify_all();
  }
  // Waits for the last answer; the errors, empty when all went well.
  std::string Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return outstanding_ == 0; });
    return errors_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  size_t outstanding_;
  std::string errors_;
};

// Throws outputs away and reports to an Outcome.
class DiscardSink : public ResponseSink {
 public:
  explicit DiscardSink(std::shared_ptr<Outcome> outcome) : outcome_(std::move(outcome)) {}

  absl::StatusOr<Buffer> Allocate(const TensorSpec&, size_t byte_size,
                                  MemoryPlace) noexcept override {
    return AllocateHost(byte_size);
  }
  void Send(InferResponse response, bool is_final) noexcept override {
    outcome_->Add(response.status);
    if (is_final) outcome_->End();
  }
  void Finish() noexcept override { outcome_->End(); }

 private:
  std::shared_ptr<Outcome> outcome_;
};

// The file's bytes. Only files of the model's folder of warm-up data: a load request may bring a
// configuration of its own.
absl::StatusOr<std::string> ReadData(const std::string& file, const std::string& model_path) {
  const std::filesystem::path normal = std::filesystem::path(file).lexically_normal();
  if (normal.is_absolute() || normal.empty() || *normal.begin() == "..") {
    return absl::InvalidArgumentError(
        StrCat("input_data_file '", file, "' lies outside the model's warmup folder"));
  }
  return FileSystem::Real().ReadFile(StrCat(model_path, "/warmup/", file), kMaxFileBytes);
}

// Zeros are also n empty strings, each a length of 0.
absl::StatusOr<int64_t> ByteSizeOf(DataType type, const Shape& shape) {
  return DenseByteSize(type == DataType::kBytes ? DataType::kUint32 : type, shape);
}

absl::StatusOr<Buffer> MakeData(const inference::ModelWarmup::Input& input, const std::string& name,
                                const std::string& model_path, DataType type, const Shape& shape) {
  const bool is_bytes = type == DataType::kBytes;
  NEREID_ASSIGN_OR_RETURN(const int64_t wanted, ByteSizeOf(type, shape));
  if (input.input_data_type_case() == inference::ModelWarmup::Input::kInputDataFile) {
    NEREID_ASSIGN_OR_RETURN(const std::string text, ReadData(input.input_data_file(), model_path));
    if (!is_bytes && static_cast<int64_t>(text.size()) < wanted) {
      return absl::InvalidArgumentError(
          StrCat("warmup setting expects ", wanted, " bytes, but the data provided from ",
                 input.input_data_file(), " only has ", text.size(), " bytes"));
    }
    const size_t used = is_bytes ? text.size() : static_cast<size_t>(wanted);
    NEREID_ASSIGN_OR_RETURN(Buffer data, AllocateHost(used));
    std::memcpy(data.data(), text.data(), used);
    return data;
  }
  NEREID_ASSIGN_OR_RETURN(Buffer data, AllocateHost(static_cast<size_t>(wanted)));
  if (input.input_data_type_case() == inference::ModelWarmup::Input::kZeroData || is_bytes) {
    std::memset(data.data(), 0, data.size());
    return data;
  }
  if (input.input_data_type_case() == inference::ModelWarmup::Input::kRandomData) {
    std::minstd_rand random{std::random_device{}()};
    for (size_t i = 0; i < data.size(); ++i) {
      data.data()[i] = static_cast<std::byte>(random() >> 8);
    }
    return data;
  }
  return absl::InvalidArgumentError(
      StrCat("warmup setting expects input '", name, "' to have input_data_type set"));
}

}  // namespace

absl::StatusOr<WarmupPlan> WarmupPlan::Create(const std::shared_ptr<const ModelConfig>& config,
                                              const std::string& model_path) {
  WarmupPlan plan;
  plan.config_ = config;
  for (const inference::ModelWarmup& setting : config->proto().model_warmup()) {
    if (setting.batch_size() == 0) continue;
    Sample sample;
    sample.name = setting.name();
    sample.batch_size = setting.batch_size();
    if (sample.batch_size > std::max<int64_t>(1, config->max_batch_size())) {
      return absl::InvalidArgumentError(StrCat("warmup sample '", sample.name, "' has batch_size ",
                                               sample.batch_size, ", but the model's maximum is ",
                                               std::max<int64_t>(1, config->max_batch_size())));
    }
    sample.count = std::max(1u, setting.count());
    for (const auto& [name, input] : setting.inputs()) {
      Tensor tensor;
      tensor.name = name;
      tensor.data_type = static_cast<DataType>(input.data_type());
      if (config->max_batch_size() > 0) tensor.shape.push_back(1);
      for (int64_t extent : input.dims()) {
        if (extent < 0) {
          return absl::InvalidArgumentError(StrCat(
              "warmup setting expects all variable-size dimensions are specified for input '", name,
              "'"));
        }
        tensor.shape.push_back(extent);
      }
      NEREID_ASSIGN_OR_RETURN(tensor.data,
                              MakeData(input, name, model_path, tensor.data_type, tensor.shape));
      sample.tensors.push_back(std::move(tensor));
    }
    plan.samples_.push_back(std::move(sample));
  }
  return plan;
}

absl::Status WarmupPlan::Failed(const Sample& sample, std::string_view errors) {
  return absl::InternalError(StrCat("failed to run warmup sample '", sample.name, "': ", errors));
}

absl::Status WarmupPlan::RunOnce(const Sample& sample, Instance& instance) const {
  auto outcome = std::make_shared<Outcome>(sample.batch_size);
  Batch batch;
  for (uint32_t i = 0; i < sample.batch_size; ++i) {
    auto request = std::make_unique<InferRequest>(std::make_unique<DiscardSink>(outcome));
    for (const Tensor& tensor : sample.tensors) {
      request->inputs.push_back(
          {tensor.name, tensor.data_type, tensor.shape, tensor.data, nullptr});
    }
    request->timeline.received = Clock::now();
    // They are all alike.
    if (const absl::Status valid = ValidateRequest(config_, *request); !valid.ok()) {
      return Failed(sample, StrCat(Message(valid), "; "));
    }
    batch.Add(std::move(request));
  }
  absl::Status status = GuardedExecute(instance, batch);
  if (status.ok()) status = absl::InternalError("the request was left without an answer");
  for (size_t i = 0; i < batch.size(); ++i) {
    if (batch.Has(i)) batch.request(i).Fail(status);
  }
  const std::string errors = outcome->Wait();
  return errors.empty() ? absl::OkStatus() : Failed(sample, errors);
}

absl::Status WarmupPlan::Run(Instance& instance) const {
  for (const Sample& sample : samples_) {
    for (uint32_t i = 0; i < sample.count; ++i) {
      NEREID_RETURN_IF_ERROR(RunOnce(sample, instance));
    }
  }
  return absl::OkStatus();
}

}  // namespace nereid
