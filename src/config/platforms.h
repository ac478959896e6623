#pragma once

#include <string_view>

namespace nereid {

// Names that carry a meaning of their own in a model configuration.
inline constexpr std::string_view kPlatformEnsemble = "ensemble";
inline constexpr std::string_view kPlatformTensorRt = "tensorrt_plan";
inline constexpr std::string_view kPlatformOnnx = "onnxruntime_onnx";
inline constexpr std::string_view kPlatformTorchScript = "pytorch_libtorch";
inline constexpr std::string_view kPlatformTorchAoti = "torch_aoti";
inline constexpr std::string_view kPlatformSavedModel = "tensorflow_savedmodel";
inline constexpr std::string_view kPlatformGraphDef = "tensorflow_graphdef";

inline constexpr std::string_view kBackendTensorRt = "tensorrt";
inline constexpr std::string_view kBackendOnnx = "onnxruntime";
inline constexpr std::string_view kBackendPyTorch = "pytorch";
inline constexpr std::string_view kBackendTensorFlow = "tensorflow";
inline constexpr std::string_view kBackendOpenVino = "openvino";
inline constexpr std::string_view kBackendPython = "python";

}  // namespace nereid
