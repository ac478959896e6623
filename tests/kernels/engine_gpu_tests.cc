// Runs the kernels' cases on a GPU and compares them with references in double precision.
//
//   engine_gpu_tests [operator] [--no-race] [--verbose]
//
// Prints a table, one line an operator and type of result; exits with 1 when a case fails, 77 when
// the machine has no GPU. Outputs are filled with NaN beforehand.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

#include "backends/cuda/device/device_memory.h"
#include "backends/cuda/device/stream.h"
#include "common/status_macros.h"
#include "kernels/jit/race.h"
#include "tests/kernels/all_cases.h"

namespace nereid::engine {
namespace {

template <typename T>
void Put(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof(value));
}

template <typename T>
T Take(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

void Encode(DataType type, double value, std::byte* to) {
  switch (type) {
    case DataType::kFp16:
      return Put(to, FloatToFp16(static_cast<float>(value)));
    case DataType::kBf16:
      return Put(to, FloatToBf16(static_cast<float>(value)));
    case DataType::kFp32:
      return Put(to, static_cast<float>(value));
    case DataType::kFp64:
      return Put(to, value);
    case DataType::kInt64:
      return Put(to, static_cast<int64_t>(value));
    case DataType::kInt32:
      return Put(to, static_cast<int32_t>(value));
    case DataType::kInt8:
      return Put(to, static_cast<int8_t>(value));
    default:
      return Put(to, static_cast<uint8_t>(value));
  }
}

double Decode(DataType type, const std::byte* from) {
  switch (type) {
    case DataType::kFp16:
      return Fp16ToFloat(Take<uint16_t>(from));
    case DataType::kBf16:
      return Bf16ToFloat(Take<uint16_t>(from));
    case DataType::kFp32:
      return Take<float>(from);
    case DataType::kFp64:
      return Take<double>(from);
    case DataType::kInt64:
      return double(Take<int64_t>(from));
    case DataType::kInt32:
      return Take<int32_t>(from);
    case DataType::kInt8:
      return Take<int8_t>(from);
    default:
      return Take<uint8_t>(from);
  }
}

double ToleranceOf(DataType type) {
  switch (type) {
    case DataType::kFp16:
      return 5e-3;
    case DataType::kBf16:
      return 2e-2;
    case DataType::kFp32:
      return 1e-5;
    case DataType::kFp64:
      return 1e-12;
    default:
      return 0;
  }
}

struct Result {
  double error = 0;
  double tolerance = 0;
  double microseconds = 0;
  double bytes = 0;
};

absl::StatusOr<DeviceMemory> Upload(const Stream& stream, const CaseTensor& tensor) {
  const size_t element = ElementByteSize(tensor.type);
  std::vector<std::byte> bytes(tensor.values.size() * element);
  for (size_t i = 0; i < tensor.values.size(); ++i)
    Encode(tensor.type, tensor.values[i], &bytes[i * element]);
  NEREID_ASSIGN_OR_RETURN(DeviceMemory memory,
                          DeviceMemory::Allocate(stream.context(), bytes.size()));
  NEREID_RETURN_IF_ERROR(stream.CopyToDevice(memory.address(), bytes.data(), bytes.size()));
  NEREID_RETURN_IF_ERROR(stream.Synchronize());
  return memory;
}

// ‖y − expected‖ / ‖expected‖ over what is expected to be a number; infinite when y is not.
absl::StatusOr<double> Compare(const Stream& stream, const CaseTensor& expected,
                               DevicePointer address) {
  const size_t element = ElementByteSize(expected.type);
  std::vector<std::byte> bytes(expected.values.size() * element);
  NEREID_RETURN_IF_ERROR(stream.CopyToHost(bytes.data(), address, bytes.size()));
  NEREID_RETURN_IF_ERROR(stream.Synchronize());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < expected.values.size(); ++i) {
    if (std::isnan(expected.values[i])) continue;
    const double got = Decode(expected.type, &bytes[i * element]);
    if (!std::isfinite(got)) return INFINITY;
    difference += (got - expected.values[i]) * (got - expected.values[i]);
    norm += expected.values[i] * expected.values[i];
  }
  if (difference == 0) return 0;
  return std::sqrt(difference / std::max(norm, 1e-30));
}

absl::StatusOr<Result> RunCase(Toolbox& toolbox, const Stream& stream, const KernelCase& c) {
  NEREID_ASSIGN_OR_RETURN(const auto op, c.make(toolbox));
  const CaseData data = c.data();
  std::vector<DeviceMemory> kept;
  std::vector<DevicePointer> inputs, outputs;
  Result result;
  for (const CaseTensor& tensor : data.inputs) {
    if (tensor.type == DataType::kInvalid) {
      inputs.push_back(0);
      continue;
    }
    NEREID_ASSIGN_OR_RETURN(DeviceMemory memory, Upload(stream, tensor));
    result.bytes += double(memory.size());
    inputs.push_back(memory.address());
    kept.push_back(std::move(memory));
  }
  for (const CaseTensor& tensor : data.outputs) {
    NEREID_ASSIGN_OR_RETURN(
        DeviceMemory memory,
        DeviceMemory::Allocate(stream.context(),
                               tensor.values.size() * ElementByteSize(tensor.type)));
    NEREID_RETURN_IF_ERROR(stream.Fill(memory.address(), 0xFF, memory.size()));
    result.bytes += double(memory.size());
    outputs.push_back(memory.address());
    kept.push_back(std::move(memory));
  }
  NEREID_ASSIGN_OR_RETURN(const DeviceMemory workspace,
                          DeviceMemory::Allocate(stream.context(), op->workspace_bytes()));
  NEREID_RETURN_IF_ERROR(stream.Fill(workspace.address(), 0xFF, workspace.size()));
  NEREID_RETURN_IF_ERROR(op->Launch(inputs, outputs, workspace.address(), stream.handle()));
  NEREID_RETURN_IF_ERROR(stream.Synchronize());
  for (size_t i = 0; i < outputs.size(); ++i) {
    NEREID_ASSIGN_OR_RETURN(const double error, Compare(stream, data.outputs[i], outputs[i]));
    const double tolerance = c.tolerance > 0 ? c.tolerance : ToleranceOf(data.outputs[i].type);
    if (i == 0 || error > result.error || (error > tolerance && result.error <= result.tolerance)) {
      result.error = error;
      result.tolerance = tolerance;
    }
  }
  NEREID_ASSIGN_OR_RETURN(result.microseconds, TimeOnDevice(stream, [&] {
                            return op->Launch(inputs, outputs, workspace.address(),
                                              stream.handle());
                          }));
  return result;
}

// What a line of the table sums up: the worst error, and the speed of the case that moves most.
struct Line {
  int cases = 0;
  int failed = 0;
  int unsupported = 0;
  double worst_error = 0;
  Result largest;
  double flops = 0;
  std::string largest_name;
};

struct Settings {
  std::string only;
  bool race = true;
  bool verbose = false;
};

void Report(const KernelCase& c, const absl::StatusOr<Result>& result, const Settings& settings,
            Line* line) {
  ++line->cases;
  if (!result.ok()) {
    const bool unsupported = absl::IsUnimplemented(result.status());
    ++(unsupported ? line->unsupported : line->failed);
    std::printf("%s %s %s: %s\n", unsupported ? "NONE" : "FAIL", c.op.c_str(), c.name.c_str(),
                result.status().ToString().c_str());
    return;
  }
  const bool wrong = !(result->error <= result->tolerance);
  line->failed += wrong;
  line->worst_error = std::max(line->worst_error, result->error);
  if (result->bytes > line->largest.bytes) {
    line->largest = *result;
    line->flops = c.flops;
    line->largest_name = c.name;
  }
  if (wrong || settings.verbose) {
    std::printf("%s %s %s: error %.2e (%.0e), %.2f µs, %.0f GB/s\n", wrong ? "FAIL" : "ok",
                c.op.c_str(), c.name.c_str(), result->error, result->tolerance,
                result->microseconds, result->bytes / result->microseconds / 1e3);
  }
}

int Finish(const std::map<std::string, Line>& lines, const std::vector<std::string>& order) {
  std::printf(
      "\n| operator | cases | failed | not offered | worst error | largest case | µs | GB/s | "
      "TFLOP/s |\n|---|---|---|---|---|---|---|---|---|\n");
  int failed = 0;
  for (const std::string& op : order) {
    const Line& line = lines.at(op);
    failed += line.failed;
    std::printf("| %s | %d | %d | %d | %.1e | %s | %.2f | %.0f | %.1f |\n", op.c_str(), line.cases,
                line.failed, line.unsupported, line.worst_error, line.largest_name.c_str(),
                line.largest.microseconds,
                line.largest.bytes / std::max(line.largest.microseconds, 1e-9) / 1e3,
                line.flops / std::max(line.largest.microseconds, 1e-9) / 1e6);
  }
  std::printf("\n%d cases failed\n", failed);
  return failed == 0 ? 0 : 1;
}

int Run(const Settings& settings) {
  auto context = Context::Create(0);
  if (!context.ok()) {
    std::printf("%s\n", context.status().ToString().c_str());
    return 77;
  }
  Toolbox::Options options;
  options.race = settings.race;
  auto toolbox = Toolbox::Create(*context, options);
  auto stream = Stream::Create(*context);
  if (!toolbox.ok() || !stream.ok()) {
    std::printf("%s %s\n", toolbox.status().ToString().c_str(), stream.status().ToString().c_str());
    return 1;
  }
  std::printf("%s, %s\n", (*context)->name().c_str(), (*context)->arch().c_str());
  std::map<std::string, Line> lines;
  std::vector<std::string> order;
  for (const KernelCase& c : AllKernelCases()) {
    if (!settings.only.empty() && c.op != settings.only) continue;
    if (lines.find(c.op) == lines.end()) order.push_back(c.op);
    Line& line = lines[c.op];
    Report(c, RunCase(**toolbox, **stream, c), settings, &line);
    std::fflush(stdout);
  }
  std::printf("%d kernels compiled\n", (*toolbox)->jit().compiled_count());
  return Finish(lines, order);
}

}  // namespace
}  // namespace nereid::engine

int main(int argc, char** argv) {
  nereid::engine::Settings settings;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--no-race") {
      settings.race = false;
    } else if (argument == "--verbose") {
      settings.verbose = true;
    } else {
      settings.only = argument;
    }
  }
  return nereid::engine::Run(settings);
}
