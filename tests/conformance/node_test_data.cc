#include "tests/conformance/node_test_data.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string_view>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/onnx/external_data.h"
#include "backends/cuda/onnx/mapped_file.h"
#include "backends/cuda/onnx/proto.h"
#include "backends/cuda/onnx/tensor_reader.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;

constexpr double kTwoBf16Steps = 0x1p-6;

// A field of length-delimited bytes as protobuf writes it.
std::string Field(int number, std::string_view bytes) {
  std::string field(1, static_cast<char>(number << 3 | 2));
  size_t size = bytes.size();
  for (; size > 0x7f; size >>= 7) field += static_cast<char>((size & 0x7f) | 0x80);
  field += static_cast<char>(size);
  field += bytes;
  return field;
}

// The TensorProto in a file, read as the one initialiser of a model.
absl::StatusOr<HostTensor> ReadTensor(const fs::path& path) {
  NEREID_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path.string(), kMaxFileBytes));
  constexpr int kModelGraph = 7;
  constexpr int kGraphInitializer = 5;
  auto bytes =
      std::make_shared<std::string>(Field(kModelGraph, Field(kGraphInitializer, file->text())));
  NEREID_ASSIGN_OR_RETURN(
      const ModelProto model,
      ParseModel(*bytes, {.max_nodes = 1, .max_messages = 1'000, .max_depth = 2}));
  if (!model.graph.has_value() || model.graph->initializer.size() != 1) {
    return absl::InvalidArgumentError("no tensor in the file");
  }
  TensorReader reader(bytes, ExternalData(path.parent_path().string(), 0), kMaxFileBytes);
  return reader.Read(model.graph->initializer[0]);
}

absl::StatusOr<std::vector<HostTensor>> ReadTensors(const fs::path& folder, const char* kind) {
  std::vector<HostTensor> tensors;
  for (int i = 0;; ++i) {
    const fs::path path = folder / StrCat(kind, "_", i, ".pb");
    if (!fs::exists(path)) return tensors;
    NEREID_ASSIGN_OR_RETURN(HostTensor tensor, ReadTensor(path));
    tensors.push_back(std::move(tensor));
  }
}

bool IsClose(double got, double expected, const Tolerance& tolerance) {
  if (std::isnan(expected)) return std::isnan(got);
  if (got == expected) return true;
  return std::fabs(got - expected) <= tolerance.absolute + tolerance.relative * std::fabs(expected);
}

absl::Status CompareOne(const HostTensor& got, const HostTensor& expected,
                        const Tolerance& tolerance) {
  if (got.type() != expected.type()) {
    return absl::InternalError(
        StrCat("is ", ProtocolName(got.type()), " instead of ", ProtocolName(expected.type())));
  }
  if (got.shape() != expected.shape()) {
    return absl::InternalError(StrCat("has shape ", ShapeToString(got.shape()), " instead of ",
                                      ShapeToString(expected.shape())));
  }
  if (!IsFloating(got.type())) {
    return got.SameAs(expected) ? absl::OkStatus() : absl::InternalError("differs");
  }
  Tolerance allowed = tolerance;
  if (got.type() == DataType::kBf16) allowed.relative = std::max(allowed.relative, kTwoBf16Steps);
  for (int64_t i = 0; i < got.element_count(); ++i) {
    if (IsClose(got.AsDouble(i), expected.AsDouble(i), allowed)) continue;
    return absl::InternalError(
        StrCat("[", i, "] is ", got.AsDouble(i), " instead of ", expected.AsDouble(i)));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<fs::path> FindTests(const fs::path& folder) {
  if (fs::exists(folder / "model.onnx")) return {folder};
  std::vector<fs::path> tests;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (fs::exists(entry.path() / "model.onnx")) tests.push_back(entry.path());
  }
  std::sort(tests.begin(), tests.end());
  return tests;
}

absl::StatusOr<std::vector<DataSet>> ReadDataSets(const fs::path& test) {
  std::vector<DataSet> sets;
  while (true) {
    const fs::path folder = test / StrCat("test_data_set_", sets.size());
    if (!fs::exists(folder)) break;
    DataSet set;
    NEREID_ASSIGN_OR_RETURN(set.inputs, ReadTensors(folder, "input"));
    NEREID_ASSIGN_OR_RETURN(set.outputs, ReadTensors(folder, "output"));
    if (set.outputs.empty()) return absl::InternalError("there is no output to compare with");
    sets.push_back(std::move(set));
  }
  if (sets.empty()) return absl::InternalError("there is no data set");
  return sets;
}

absl::Status Compare(const std::vector<HostTensor>& got, const std::vector<HostTensor>& expected,
                     const Tolerance& tolerance) {
  if (got.size() != expected.size()) {
    return absl::InternalError(StrCat("there are ", got.size(), " outputs"));
  }
  for (size_t i = 0; i < got.size(); ++i) {
    const absl::Status same = CompareOne(got[i], expected[i], tolerance);
    if (!same.ok()) return absl::InternalError(StrCat("output ", i, " ", Message(same)));
  }
  return absl::OkStatus();
}

}  // namespace nereid::engine
