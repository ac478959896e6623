// Runs ONNX test folders on the reference executor:
//
//   engine_node_tests [--rtol=X] [--atol=X] FOLDER…
//
// A folder holds model.onnx and test_data_set_*/{input,output}_*.pb, or else folders that do. One
// line each: "PASS name", or "FAIL name: why". Exits with 1 when it is called wrongly, else with 0.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/onnx/importer.h"
#include "backends/cuda/onnx/mapped_file.h"
#include "backends/cuda/onnx/proto.h"
#include "backends/cuda/onnx/tensor_reader.h"
#include "backends/cuda/reference/evaluator.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;

constexpr double kTwoBf16Steps = 0x1p-6;

struct Tolerance {
  double relative = 1e-3;
  double absolute = 1e-7;
};

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

absl::Status Compare(const HostTensor& got, const HostTensor& expected,
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

absl::Status RunDataSet(const Graph& graph, const fs::path& folder, const Tolerance& tolerance) {
  NEREID_ASSIGN_OR_RETURN(const auto inputs, ReadTensors(folder, "input"));
  NEREID_ASSIGN_OR_RETURN(const auto expected, ReadTensors(folder, "output"));
  if (expected.empty()) return absl::InternalError("there is no output to compare with");
  NEREID_ASSIGN_OR_RETURN(const auto got, EvaluateGraph(graph, inputs));
  if (got.size() != expected.size()) {
    return absl::InternalError(StrCat("there are ", got.size(), " outputs"));
  }
  for (size_t i = 0; i < got.size(); ++i) {
    const absl::Status same = Compare(got[i], expected[i], tolerance);
    if (!same.ok()) return absl::InternalError(StrCat("output ", i, " ", Message(same)));
  }
  return absl::OkStatus();
}

absl::Status RunTest(const fs::path& folder, const Tolerance& tolerance) {
  NEREID_ASSIGN_OR_RETURN(const ImportedModel model, ImportOnnx((folder / "model.onnx").string()));
  int data_sets = 0;
  for (;; ++data_sets) {
    const fs::path data = folder / StrCat("test_data_set_", data_sets);
    if (!fs::exists(data)) break;
    NEREID_RETURN_IF_ERROR(RunDataSet(*model.graph, data, tolerance));
  }
  return data_sets > 0 ? absl::OkStatus() : absl::InternalError("there is no data set");
}

std::vector<fs::path> FindTests(const fs::path& folder) {
  if (fs::exists(folder / "model.onnx")) return {folder};
  std::vector<fs::path> tests;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (fs::exists(entry.path() / "model.onnx")) tests.push_back(entry.path());
  }
  std::sort(tests.begin(), tests.end());
  return tests;
}

int Main(const std::vector<std::string_view>& arguments) {
  Tolerance tolerance;
  std::vector<fs::path> tests;
  for (const std::string_view argument : arguments) {
    const std::string value(argument.substr(std::min(argument.find('=') + 1, argument.size())));
    if (argument.starts_with("--rtol=")) {
      tolerance.relative = std::atof(value.c_str());
    } else if (argument.starts_with("--atol=")) {
      tolerance.absolute = std::atof(value.c_str());
    } else if (argument.starts_with("--") || !fs::is_directory(argument)) {
      std::fprintf(stderr, "engine_node_tests [--rtol=X] [--atol=X] FOLDER...\n");
      return 1;
    } else {
      const std::vector<fs::path> found = FindTests(argument);
      tests.insert(tests.end(), found.begin(), found.end());
    }
  }
  for (const fs::path& test : tests) {
    const std::string name = test.filename().string();
    // So that a crash can be told from its last line.
    std::fprintf(stderr, "%s\n", name.c_str());
    const absl::Status status = RunTest(test, tolerance);
    const std::string why = status.ok() ? "" : StrCat(": ", Message(status));
    std::printf("%s %s%s\n", status.ok() ? "PASS" : "FAIL", name.c_str(), why.c_str());
  }
  return 0;
}

}  // namespace
}  // namespace nereid::engine

int main(int argc, char** argv) { return nereid::engine::Main({argv + 1, argv + argc}); }
