#include "backends/onnxruntime/ort_session.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "backends/onnxruntime/ort_status.h"
#include "backends/onnxruntime/ort_types.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::ort {
namespace {

namespace fs = std::filesystem;
constexpr char kDefaultFile[] = "model.onnx";

absl::StatusOr<GraphTensor> DescribeTensor(std::string name, const Ort::TypeInfo& info) {
  if (info.GetONNXType() != ONNX_TYPE_TENSOR) {
    return absl::UnimplementedError(StrCat("Unsupported ONNX Type '",
                                           OnnxTypeName(info.GetONNXType()), "' for I/O '", name,
                                           "', expected 'ONNX_TYPE_TENSOR'."));
  }
  const auto tensor_info = info.GetTensorTypeAndShapeInfo();
  GraphTensor tensor;
  tensor.name = std::move(name);
  tensor.data_type = FromOrtType(tensor_info.GetElementType());
  for (int64_t extent : tensor_info.GetShape()) tensor.dims.push_back(extent < 0 ? -1 : extent);
  return tensor;
}

}  // namespace

absl::StatusOr<std::string> FindModelFile(const ModelContext& context) {
  const std::string& configured = context.config->default_model_filename();
  fs::path path = fs::path(context.version_path) / (configured.empty() ? kDefaultFile : configured);
  std::error_code error;
  if (fs::is_directory(path, error)) path /= kDefaultFile;
  if (fs::is_regular_file(path, error)) return path.string();
  return absl::UnavailableError(StrCat("unable to find '", path.string(), "' for model instance '",
                                       context.config->name(), "'"));
}

absl::StatusOr<std::shared_ptr<Session>> OpenSession(std::shared_ptr<const Environment> environment,
                                                     const std::string& path,
                                                     const Ort::SessionOptions& options) {
  auto session = std::make_shared<Session>();
  session->environment = std::move(environment);
  NEREID_RETURN_IF_ERROR(CatchOrt([&] {
    session->session = Ort::Session(session->environment->env(), path.c_str(), options);
    return absl::OkStatus();
  }));
  return session;
}

absl::StatusOr<GraphDescription> DescribeGraph(const Session& session) {
  GraphDescription graph;
  const Ort::Session& ort = session.session;
  NEREID_RETURN_IF_ERROR(CatchOrt([&]() -> absl::Status {
    Ort::AllocatorWithDefaultOptions allocator;
    for (size_t i = 0; i < ort.GetInputCount(); ++i) {
      NEREID_ASSIGN_OR_RETURN(
          GraphTensor tensor,
          DescribeTensor(ort.GetInputNameAllocated(i, allocator).get(), ort.GetInputTypeInfo(i)));
      graph.inputs.push_back(std::move(tensor));
    }
    for (size_t i = 0; i < ort.GetOutputCount(); ++i) {
      NEREID_ASSIGN_OR_RETURN(
          GraphTensor tensor,
          DescribeTensor(ort.GetOutputNameAllocated(i, allocator).get(), ort.GetOutputTypeInfo(i)));
      graph.outputs.push_back(std::move(tensor));
    }
    for (size_t i = 0; i < ort.GetOverridableInitializerCount(); ++i) {
      NEREID_ASSIGN_OR_RETURN(
          GraphTensor tensor,
          DescribeTensor(ort.GetOverridableInitializerNameAllocated(i, allocator).get(),
                         ort.GetOverridableInitializerTypeInfo(i)));
      graph.overridable.push_back(std::move(tensor));
    }
    return absl::OkStatus();
  }));
  return graph;
}

}  // namespace nereid::ort
