#include "backend/module_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/strings.h"

namespace nereid {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Fault {
  std::string module;
  absl::StatusCode code;
  std::string message;  // part of it
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.module; }

class FaultyModule : public ::testing::TestWithParam<Fault> {};

TEST_P(FaultyModule, IsRefusedWithAMessageThatSaysWhy) {
  const std::string path = StrCat(NEREID_TEST_MODULE_DIR, "/faulty_", GetParam().module, ".so");
  auto backend = LoadBackendModule(path, {});
  ASSERT_FALSE(backend.ok());
  EXPECT_EQ(backend.status().code(), GetParam().code) << backend.status();
  EXPECT_THAT(std::string(Message(backend.status())),
              AllOf(HasSubstr(path), HasSubstr(GetParam().message)));
}

INSTANTIATE_TEST_SUITE_P(
    Faults, FaultyModule,
    ::testing::Values(
        Fault{"no_symbol", absl::StatusCode::kInvalidArgument,
              "does not define the entry point NereidBackendModule"},
        Fault{"null_module", absl::StatusCode::kInvalidArgument, "returned nothing"},
        Fault{"old_major", absl::StatusCode::kFailedPrecondition,
              "was built for backend interface version 7.0, but this server supports version 1.2"},
        Fault{"newer_minor", absl::StatusCode::kFailedPrecondition,
              "was built for backend interface version 1.3, but this server supports version 1.2"},
        Fault{"no_create", absl::StatusCode::kInvalidArgument, "has no create function"},
        Fault{"throwing_entry", absl::StatusCode::kInternal, "unexpected exception: not today"},
        Fault{"throwing_create", absl::StatusCode::kInternal, "unexpected exception: no licence"},
        Fault{"throwing_int", absl::StatusCode::kInternal, "unexpected exception: of unknown type"},
        Fault{"failing_create", absl::StatusCode::kNotFound, "the engine is not installed"},
        Fault{"null_create", absl::StatusCode::kInternal, "returned nothing and no error"}),
    [](const auto& info) { return info.param.module; });

TEST(ModuleLoader, RefusesAFileThatIsNoLibrary) {
  const auto path = std::filesystem::temp_directory_path() / StrCat("not_a_library_", ::getpid());
  std::ofstream(path) << "this is text";
  auto backend = LoadBackendModule(path.string(), {});
  std::filesystem::remove(path);
  EXPECT_EQ(backend.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(backend.status())), HasSubstr(path.string()));
}

TEST(ModuleLoader, RefusesAMissingFile) {
  auto backend = LoadBackendModule("/nonexistent/libnereid_x.so", {});
  EXPECT_EQ(backend.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(BackendTool, IsFoundInAModuleThatHasOne) {
  const auto tool = LoadBackendTool(StrCat(NEREID_TEST_MODULE_DIR, "/faulty_null_create.so"));
  ASSERT_TRUE(tool.ok()) << tool.status();
  const char* const arguments[] = {"tool", "model"};
  EXPECT_EQ((*tool)(2, arguments), 2);
}

TEST(BackendTool, IsRefusedByAModuleWithoutOneOrOfAnotherVersion) {
  const auto code = [](const char* module) {
    return LoadBackendTool(StrCat(NEREID_TEST_MODULE_DIR, "/faulty_", module, ".so"))
        .status()
        .code();
  };
  EXPECT_EQ(code("failing_create"), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(code("old_major"), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code("no_symbol"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("that_is_not_there"), absl::StatusCode::kInvalidArgument);
}

TEST(ModuleVersion, AcceptsOlderMinorVersionsOfTheSameMajorOnly) {
  EXPECT_TRUE(CheckModuleVersion(kBackendApiMajor, 0).ok());
  EXPECT_TRUE(CheckModuleVersion(kBackendApiMajor, kBackendApiMinor).ok());
  EXPECT_FALSE(CheckModuleVersion(kBackendApiMajor, kBackendApiMinor + 1).ok());
  EXPECT_FALSE(CheckModuleVersion(kBackendApiMajor + 1, 0).ok());
  EXPECT_FALSE(CheckModuleVersion(kBackendApiMajor - 1, 0).ok());
}

}  // namespace
}  // namespace nereid
