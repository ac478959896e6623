#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "nereid/data_type.h"
#include "nereid/shape.h"

namespace inference {
class ModelConfig;  // the protobuf message of proto/model_config.proto
}  // namespace inference

namespace nereid {

// One declared input or output of a model.
struct TensorSpec {
  std::string name;
  DataType data_type = DataType::kInvalid;
  Shape dims;                    // as clients send it, without the batch dimension; -1 = any
  std::optional<Shape> reshape;  // what the backend sees instead of `dims`, when it differs
  bool optional = false;
  bool allow_ragged_batch = false;
  bool is_shape_tensor = false;
  bool is_non_linear = false;  // memory layout only the backend understands: size is not checked
  std::vector<std::string> labels;  // outputs: class names by index; empty when there is no file
  int index = 0;                    // position in ModelConfig::inputs() or outputs()

  // Extents the backend works with: reshape when present, else dims.
  const Shape& backend_dims() const { return reshape ? *reshape : dims; }
};

// The configuration of one model after completion, normalisation and validation. Immutable and
// shared by everything that serves that model version; safe from any thread.
class ModelConfig {
 public:
  struct Options {
    std::string model_path;  // folder of the model; label files are read from here
    bool read_labels = true;
  };
  // `proto` is normalised and validated already. Fails when a label file cannot be read.
  static absl::StatusOr<std::shared_ptr<const ModelConfig>> Create(
      const inference::ModelConfig& proto, const Options& options);
  ~ModelConfig();
  ModelConfig(const ModelConfig&) = delete;
  ModelConfig& operator=(const ModelConfig&) = delete;

  const inference::ModelConfig& proto() const { return *proto_; }
  // The JSON form that clients and backends read (model configuration extension).
  const std::string& json() const { return json_; }

  const std::string& name() const { return name_; }
  const std::string& backend() const { return backend_; }
  const std::string& platform() const { return platform_; }
  const std::string& default_model_filename() const { return default_model_filename_; }
  // 0: the model does not batch and shapes carry no batch dimension.
  int64_t max_batch_size() const { return max_batch_size_; }
  // True when a request may be answered by any number of responses.
  bool decoupled() const { return decoupled_; }

  const std::vector<TensorSpec>& inputs() const { return inputs_; }
  const std::vector<TensorSpec>& outputs() const { return outputs_; }
  int required_input_count() const { return required_input_count_; }
  // nullptr when there is none of that name.
  const TensorSpec* FindInput(std::string_view name) const;
  const TensorSpec* FindOutput(std::string_view name) const;

  // The `parameters` map of the configuration (string values).
  const std::map<std::string, std::string>& parameters() const { return parameters_; }

 private:
  ModelConfig();
  std::unique_ptr<inference::ModelConfig> proto_;
  std::string json_;
  std::string name_;
  std::string backend_;
  std::string platform_;
  std::string default_model_filename_;
  int64_t max_batch_size_ = 0;
  bool decoupled_ = false;
  std::vector<TensorSpec> inputs_;
  std::vector<TensorSpec> outputs_;
  int required_input_count_ = 0;
  std::map<std::string, std::string> parameters_;
};

}  // namespace nereid
