// Runs ONNX test folders on the reference executor, or on a GPU:
//
//   engine_node_tests [--rtol=X] [--atol=X] FOLDER…
//   engine_node_tests --device=N [--precision=fp32] [--workers=N] [--seconds=N]
//                     [--check-list=FILE] [--write-list=FILE] [--rtol=X] [--atol=X] FOLDER…
//   engine_node_tests --plan …        the same without a GPU: rewrites, and says what it would lack
//
// A folder holds model.onnx and test_data_set_*/{input,output}_*.pb, or else folders that do. One
// line each: "PASS name", or "FAIL name: why"; with --device and --plan also "HOST name: Op Op" for
// a test that passed with these operators on the host, and a summary. Tests on a GPU run in
// processes of their own, several at a time.
//
// Exits with 1 when it is called wrongly or when a test that --check-list names has dropped, else
// with 0. --write-list writes what passed.

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/cuda/onnx/importer.h"
#include "backends/cuda/reference/evaluator.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "tests/conformance/node_test_data.h"
#ifdef NEREID_NODE_TESTS_ON_DEVICE
#include "tests/conformance/device_node_tests.h"
#include "tests/conformance/node_pass_list.h"
#include "tests/conformance/node_test_workers.h"
#endif

namespace nereid::engine {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  Tolerance tolerance;
  int device = -1;
  bool plan = false;
  int workers = 8;
  int seconds = 120;
  std::string precision = "fp32";
  std::string check_list, write_list;
  std::vector<fs::path> tests;
};

std::string NameOf(const fs::path& test) { return test.filename().string(); }

absl::Status RunOnReference(const fs::path& test, const Tolerance& tolerance) {
  NEREID_ASSIGN_OR_RETURN(const ImportedModel model, ImportOnnx((test / "model.onnx").string()));
  NEREID_ASSIGN_OR_RETURN(const auto sets, ReadDataSets(test));
  for (const DataSet& set : sets) {
    NEREID_ASSIGN_OR_RETURN(const auto got, EvaluateGraph(*model.graph, set.inputs));
    NEREID_RETURN_IF_ERROR(Compare(got, set.outputs, tolerance));
  }
  return absl::OkStatus();
}

int RunAllOnReference(const Arguments& arguments) {
  for (const fs::path& test : arguments.tests) {
    const std::string name = NameOf(test);
    // So that a crash can be told from its last line.
    std::fprintf(stderr, "%s\n", name.c_str());
    const absl::Status status = RunOnReference(test, arguments.tolerance);
    const std::string why = status.ok() ? "" : StrCat(": ", Message(status));
    std::printf("%s %s%s\n", status.ok() ? "PASS" : "FAIL", name.c_str(), why.c_str());
  }
  return 0;
}

#ifdef NEREID_NODE_TESTS_ON_DEVICE

// "pass Op Op" or "fail why".
JobOutcome OutcomeOf(const DeviceTestResult& result) {
  JobOutcome outcome{"pass", result.device_failed};
  for (const std::string& op : result.on_host) StrAppend(&outcome.text, " ", op);
  if (!result.status.ok()) outcome.text = StrCat("fail ", Message(result.status));
  return outcome;
}

class Report {
 public:
  void Add(const std::string& name, const std::string& text) {
    if (!text.starts_with("pass")) {
      const std::string why = text.starts_with("fail ") ? text.substr(5) : text;
      std::printf("FAIL %s: %s\n", name.c_str(), why.c_str());
      ++failed_;
      return;
    }
    std::set<std::string>& on_host = passed_[name];
    for (size_t at = 4; at < text.size();) {
      const size_t end = std::min(text.find(' ', at + 1), text.size());
      on_host.insert(text.substr(at + 1, end - at - 1));
      at = end;
    }
    for (const std::string& op : on_host) ++host_operators_[op];
    std::printf("%s %s%s\n", on_host.empty() ? "PASS" : "HOST", name.c_str(),
                on_host.empty() ? "" : StrCat(":", text.substr(4)).c_str());
  }

  void PrintSummary() const {
    const auto device =
        std::ranges::count_if(passed_, [](const auto& test) { return test.second.empty(); });
    std::printf("%zu tests: %td pass on the device, %td pass with steps on the host, %d fail\n",
                passed_.size() + static_cast<size_t>(failed_), device,
                static_cast<std::ptrdiff_t>(passed_.size()) - device, failed_);
    for (const auto& [op, count] : host_operators_) {
      std::printf("on the host in %d tests: %s\n", count, op.c_str());
    }
  }

  const PassList& passed() const { return passed_; }

 private:
  PassList passed_;
  std::map<std::string, int> host_operators_;
  int failed_ = 0;
};

int CompareWithList(const Arguments& arguments, const PassList& passed) {
  const auto listed = ReadPassList(arguments.check_list);
  if (!listed.ok()) {
    std::fprintf(stderr, "%s\n", std::string(Message(listed.status())).c_str());
    return 1;
  }
  std::set<std::string> names;
  for (const fs::path& test : arguments.tests) names.insert(NameOf(test));
  const std::vector<std::string> drops = DropsOf(*listed, passed, names);
  for (const std::string& drop : drops) std::printf("DROP %s\n", drop.c_str());
  const auto news = std::ranges::count_if(
      passed, [&](const auto& test) { return !listed->contains(test.first); });
  std::printf("%zu drops, %td that the list does not name\n", drops.size(), news);
  return drops.empty() ? 0 : 1;
}

int RunAllOnDevice(const Arguments& arguments) {
  DeviceTestOptions options{std::max(arguments.device, 0), arguments.precision,
                            arguments.tolerance};
  Report report;
  const auto run = [&](int job) {
    const fs::path& test = arguments.tests[static_cast<size_t>(job)];
    return OutcomeOf(arguments.plan ? PlanForDevice(test, options) : RunOnDevice(test, options));
  };
  const auto finished = [&](int job, const std::string& text) {
    report.Add(NameOf(arguments.tests[static_cast<size_t>(job)]), text);
  };
  RunInWorkers(static_cast<int>(arguments.tests.size()), {arguments.workers, arguments.seconds},
               run, finished);
  report.PrintSummary();
  if (!arguments.write_list.empty()) {
    const absl::Status written =
        WritePassList(arguments.write_list,
                      StrCat("ONNX node tests that the engine passes on a GPU in ",
                             arguments.precision, " (engine_node_tests --device)."),
                      report.passed());
    if (!written.ok()) {
      std::fprintf(stderr, "%s\n", std::string(Message(written)).c_str());
      return 1;
    }
  }
  return arguments.check_list.empty() ? 0 : CompareWithList(arguments, report.passed());
}

#else

int RunAllOnDevice(const Arguments&) {
  std::fprintf(stderr, "built without CUDA\n");
  return 1;
}

#endif

bool ParseInt(std::string_view text, int* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

// "--name=value"; whether it is one.
bool ParseOption(std::string_view argument, Arguments& arguments) {
  const size_t equals = argument.find('=');
  const std::string_view name = argument.substr(0, equals);
  const std::string value(equals == std::string_view::npos ? "" : argument.substr(equals + 1));
  const std::pair<std::string_view, int*> numbers[] = {{"--device", &arguments.device},
                                                       {"--workers", &arguments.workers},
                                                       {"--seconds", &arguments.seconds}};
  const std::pair<std::string_view, std::string*> texts[] = {
      {"--precision", &arguments.precision},
      {"--check-list", &arguments.check_list},
      {"--write-list", &arguments.write_list}};
  const std::pair<std::string_view, double*> reals[] = {{"--rtol", &arguments.tolerance.relative},
                                                        {"--atol", &arguments.tolerance.absolute}};
  if (argument == "--plan") return arguments.plan = true;
  for (const auto& [known, to] : numbers) {
    if (known == name) return ParseInt(value, to);
  }
  for (const auto& [known, to] : texts) {
    if (known == name) return *to = value, !value.empty();
  }
  for (const auto& [known, to] : reals) {
    if (known == name) return *to = std::atof(value.c_str()), !value.empty();
  }
  return false;
}

std::optional<Arguments> Parse(const std::vector<std::string_view>& given) {
  Arguments arguments;
  for (const std::string_view argument : given) {
    if (argument.starts_with("--")) {
      if (!ParseOption(argument, arguments)) return std::nullopt;
      continue;
    }
    if (!fs::is_directory(argument)) return std::nullopt;
    const std::vector<fs::path> found = FindTests(argument);
    arguments.tests.insert(arguments.tests.end(), found.begin(), found.end());
  }
  return arguments;
}

int Main(const std::vector<std::string_view>& given) {
  const std::optional<Arguments> arguments = Parse(given);
  if (!arguments) {
    std::fprintf(stderr,
                 "engine_node_tests [--rtol=X] [--atol=X] [--plan | --device=N] [--precision=P]\n"
                 "                  [--workers=N] [--seconds=N]\n"
                 "                  [--check-list=FILE] [--write-list=FILE] FOLDER...\n");
    return 1;
  }
  const bool reference = arguments->device < 0 && !arguments->plan;
  return reference ? RunAllOnReference(*arguments) : RunAllOnDevice(*arguments);
}

}  // namespace
}  // namespace nereid::engine

int main(int argc, char** argv) { return nereid::engine::Main({argv + 1, argv + argc}); }
