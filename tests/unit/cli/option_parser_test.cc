#include "cli/option_parser.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "cli/option_table.h"
#include "common/strings.h"

namespace nereid {
namespace {

std::string ErrorOf(const std::vector<std::string>& arguments) {
  const auto parsed = ParseCommandLine(arguments);
  return parsed.ok() ? "" : std::string(Message(parsed.status()));
}

TEST(OptionParserTest, NamesMayBeSplitJoinedOrShortened) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--http-port", "8123"},
                                                    {"--http-port=8123"},
                                                    {"--http-po=8123"}}) {
    const auto parsed = ParseCommandLine(arguments);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->options.http.endpoint.port, 8123);
  }
}

TEST(OptionParserTest, ErrorsSayWhatToChange) {
  struct Row {
    std::vector<std::string> arguments;
    const char* message;
  };
  const Row rows[] = {
      {{"word"}, "Unexpected argument: word"},
      {{"--http-prot=1"}, "did you mean --http-port?"},
      {{"--model"}, "ambiguous option; it could be --model-repository"},
      {{"--http-port"}, "the option needs a value"},
      {{"--http-port=x"}, "Invalid option value. Got x"},
      {{"--http-port=70000"}, "Provided option value is out of bound. Got 70000"},
      {{"--allow-http=maybe"}, "invalid value for bool option: maybe"},
      {{"--disable-auto-complete-config=1"}, "the option takes no value"},
      {{"--device-failure=panic"}, "expected restart, exit or serve, got: panic"},
      {{"--device-failure-limit=0"}, "Provided option value is out of bound. Got 0"},
      {{"--http-max-input-size=0"}, "Error: --http-max-input-size must be greater than 0."},
      {{"--load-model=m"},
       "Error: Use of '--load-model' requires setting '--model-control-mode=explicit' as well."},
      {{"--http-port=9", "--grpc-port=9"},
       "The server cannot listen to HTTP requests and GRPC requests at the same address and port "
       "0.0.0.0:9"},
      {{"--model-control-mode=sometimes"}, "expected none, poll or explicit"},
      {{"--log-format=iso"}, "expected default or ISO8601"},
      {{"--rate-limit=execution_count"}, "the rate limiter is not built yet"},
      {{"--cache-config=local,size=1"}, "the response cache is not built yet"},
      {{"--allow-client-shm=sometimes"}, "invalid value for bool option: sometimes"},
      {{"--metrics-config=foo=1"}, "unknown metrics setting 'foo'"},
      {{"--http-restricted-api=nonsense:k=v"}, "unknown restricted api 'nonsense'"},
      {{"--grpc-restricted-protocol=nonsense:k=v"}, "unknown restricted protocol 'nonsense'"},
      {{"--http-restricted-api=health:k=v", "--http-restricted-api=trace,health:l=v"},
       "restricted api 'health' can not be specified in multiple config groups"},
      {{"--http-restricted-api=health"}, "expected <api>[,<api>...]:<key>=<value>. Got health"},
      {{"--http-header-forward-pattern=("}, "Bad option: \"--http-header-forward-pattern\""},
      {{"--grpc-header-forward-pattern=["}, "Bad option: \"--grpc-header-forward-pattern\""},
      {{"--cuda-virtual-address-size=0:1073741825"}, "growable state memory is not built yet"},
      {{"--cuda-virtual-address-size=1073741824"}, "growable state memory is not built yet"},
      {{"--model-repository=s3://bucket"}, "object stores are not built yet"},
  };
  for (const Row& row : rows) {
    EXPECT_NE(ErrorOf(row.arguments).find(row.message), std::string::npos)
        << row.arguments[0] << ": " << ErrorOf(row.arguments);
  }
}

TEST(OptionParserTest, ClientsShareMemoryOnlyWhenTold) {
  EXPECT_FALSE(ParseCommandLine({})->options.allow_client_shared_memory);
  EXPECT_TRUE(ParseCommandLine({"--allow-client-shm=true"})->options.allow_client_shared_memory);
}

TEST(OptionParserTest, UnbuiltFeaturesTakeTheirDefaults) {
  EXPECT_EQ(ErrorOf({"--allow-sagemaker=false", "--rate-limit=off", "--allow-client-shm=OFF",
                     "--trace-level=OFF", "--buffer-manager-thread-count=0",
                     "--trace-config=triton,rate=1000", "--trace-config", "count=-1",
                     "--cuda-virtual-address-size=0:1073741824",
                     "--cuda-virtual-address-size=12:1073741824", "--vertex-ai-port=8080"}),
            "");
}

TEST(OptionParserTest, IntegersToleratePrefixesAndTrailingText) {
  const auto parsed = ParseCommandLine({"--http-port= 8123abc", "--exit-timeout-secs=-5"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->options.http.endpoint.port, 8123);
  EXPECT_EQ(parsed->options.exit_timeout_secs, 0);
}

TEST(OptionParserTest, CompoundValues) {
  const auto parsed = ParseCommandLine(
      {"--backend-config=default-max-batch-size=8", "--backend-config=onnxruntime,x=a,b=c",
       "--metrics-config=summary_quantiles=0.5:0.05,0.9:0.01", "--model-store=/b",
       "--model-repository=/a", "--model-repository=/b", "--log-verbose=true",
       "--http-restricted-api=health,metadata:key=value", "--grpc-use-ssl-mutual=false",
       "--strict-model-config=true"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const ServerOptions& o = parsed->options;
  EXPECT_EQ(o.backend_config.at("").at("default-max-batch-size"), "8");
  EXPECT_EQ(o.backend_config.at("onnxruntime").at("x"), "a,b=c");
  EXPECT_EQ(o.metrics.summary_quantiles.size(), 2u);
  EXPECT_EQ(o.repository.paths, (std::set<std::string>{"/a", "/b"}));
  EXPECT_EQ(o.log.verbose_level, 1);
  EXPECT_EQ(o.http.restricted.at(0).categories.size(), 2u);
  EXPECT_TRUE(o.grpc.use_ssl);
  EXPECT_FALSE(o.repository.auto_complete_config);
  EXPECT_EQ(parsed->warnings.size(), 1u);
}

TEST(OptionTableTest, NamesAreUniqueAndRowsComplete) {
  std::set<std::string> names;
  for (const OptionRow& row : OptionTable()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_NE(row.help[0], '\0') << row.name;
    EXPECT_EQ(row.set == nullptr, row.feature != nullptr) << row.name;
    EXPECT_NE(UsageText().find(StrCat("--", row.name)), std::string::npos);
  }
}

TEST(OptionTableTest, TheDocumentIsInStep) {
  std::ostringstream text;
  text << std::ifstream(StrCat(NEREID_SOURCE_DIR, "/docs/options.md")).rdbuf();
  EXPECT_EQ(text.str(), OptionsDocument()) << "run: nereid --options-document > docs/options.md";
}

}  // namespace
}  // namespace nereid
