#pragma once

#include <onnxruntime_cxx_api.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "backends/onnxruntime/ort_environment.h"
#include "config/graph.h"
#include "nereid/backend.h"

namespace nereid::ort {

// A loaded graph with the environment it lives in. Any thread; Run() of one session may be called
// by several threads at once.
struct Session {
  std::shared_ptr<const Environment> environment;
  Ort::Session session{nullptr};
};

// The model's file: `default_model_filename` of the configuration (model.onnx when empty) in the
// version's folder; when that is a folder, model.onnx inside it. UNAVAILABLE when it is not there.
absl::StatusOr<std::string> FindModelFile(const ModelContext& context);

absl::StatusOr<std::shared_ptr<Session>> OpenSession(std::shared_ptr<const Environment> environment,
                                                     const std::string& path,
                                                     const Ort::SessionOptions& options);

// UNIMPLEMENTED when an input or output is no tensor.
absl::StatusOr<GraphDescription> DescribeGraph(const Session& session);

}  // namespace nereid::ort
