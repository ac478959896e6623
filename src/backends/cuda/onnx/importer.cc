#include "backends/cuda/onnx/importer.h"

#include <filesystem>
#include <string_view>
#include <utility>

#include "backends/cuda/ir/graph_editor.h"
#include "backends/cuda/onnx/external_data.h"
#include "backends/cuda/onnx/graph_builder.h"
#include "backends/cuda/onnx/mapped_file.h"
#include "backends/cuda/onnx/proto.h"
#include "backends/cuda/onnx/tensor_reader.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

absl::StatusOr<ImportedModel> Import(std::shared_ptr<const void> owner, std::string_view bytes,
                                     const std::string& directory, const ImportLimits& limits) {
  if (bytes.size() > limits.max_file_bytes) {
    return absl::InvalidArgumentError(StrCat("the model has ", bytes.size(), " bytes; at most ",
                                             limits.max_file_bytes, " are allowed"));
  }
  NEREID_ASSIGN_OR_RETURN(const ModelProto proto,
                          ParseModel(bytes, {.max_nodes = limits.max_nodes,
                                             .max_messages = limits.max_messages,
                                             .max_depth = limits.max_depth}));
  TensorReader tensors(std::move(owner),
                       ExternalData(directory, limits.max_file_bytes - bytes.size()),
                       limits.max_dense_bytes);
  GraphBuilder builder(proto, tensors,
                       {.max_nodes = limits.max_nodes, .max_depth = limits.max_depth});
  ImportedModel model;
  NEREID_ASSIGN_OR_RETURN(model.graph, builder.Build());
  RemoveDead(*model.graph);
  NEREID_RETURN_IF_ERROR(model.graph->Verify());
  model.files = tensors.external_files();
  model.ir_version = proto.ir_version;
  model.producer = proto.producer_version.empty()
                       ? std::string(proto.producer_name)
                       : StrCat(proto.producer_name, " ", proto.producer_version);
  for (const auto& [domain, version] : proto.opset_import) {
    model.opsets[std::string(domain == "ai.onnx" ? "" : domain)] = version;
  }
  for (const auto& [key, value] : proto.metadata_props) {
    model.metadata[std::string(key)] = std::string(value);
  }
  return model;
}

}  // namespace

absl::StatusOr<ImportedModel> ImportOnnx(const std::string& path, const ImportLimits& limits) {
  NEREID_ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> file,
                          MappedFile::Open(path, limits.max_file_bytes));
  auto model =
      Import(file, file->text(), std::filesystem::path(path).parent_path().string(), limits);
  if (model.ok()) {
    model->files.insert(model->files.begin(), std::move(file));
    return model;
  }
  return absl::Status(model.status().code(), StrCat("'", path, "': ", Message(model.status())));
}

absl::StatusOr<ImportedModel> ImportOnnxBytes(std::shared_ptr<const void> owner, const void* data,
                                              size_t size, const std::string& directory,
                                              const ImportLimits& limits) {
  return Import(std::move(owner), {static_cast<const char*>(data), size}, directory, limits);
}

}  // namespace nereid::engine
