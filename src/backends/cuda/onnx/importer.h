#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/cuda/ir/graph.h"
#include "backends/cuda/onnx/mapped_file.h"

namespace nereid::engine {

struct ImportLimits {
  uint64_t max_file_bytes = uint64_t{64} << 30;  // with external data
  int max_nodes = 2'000'000;                     // with functions inlined
  int64_t max_messages = 8'000'000;              // parts of any kind in the file
  uint64_t max_dense_bytes = uint64_t{1} << 30;  // that sparse tensors unfold to
  int max_depth = 16;                            // of subgraphs and functions inside each other
};

// A model file in canonical form: functions inlined, opset differences removed (onnx/normalizer.h),
// weights pointing into the mapped file.
struct ImportedModel {
  std::shared_ptr<Graph> graph;
  int64_t ir_version = 0;
  std::map<std::string, int64_t> opsets;  // by domain
  std::string producer;
  std::map<std::string, std::string> metadata;
  std::vector<std::shared_ptr<const MappedFile>> files;  // the model's, then its external data
};

// Reads and checks `path`. INVALID_ARGUMENT, naming the node where there is one, for anything the
// file does wrong; NOT_FOUND when it or its external data is missing. Never crashes on a hostile
// file.
absl::StatusOr<ImportedModel> ImportOnnx(const std::string& path, const ImportLimits& limits = {});

// The same for bytes in memory, which `owner` keeps alive. `directory` is where external data is.
absl::StatusOr<ImportedModel> ImportOnnxBytes(std::shared_ptr<const void> owner, const void* data,
                                              size_t size, const std::string& directory,
                                              const ImportLimits& limits = {});

}  // namespace nereid::engine
