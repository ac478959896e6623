#include <gtest/gtest.h>

#include "backends/cuda/tools/tool_options.h"
#include "common/strings.h"
#include "unit/engine/passes_fixture.h"

namespace nereid::engine {
namespace {

std::string ErrorOf(const std::vector<std::string>& arguments) {
  const auto options = ParseToolOptions(arguments);
  return options.ok() ? "" : std::string(Message(options.status()));
}

TEST(ToolOptionsTest, ReadsEveryForm) {
  const auto options =
      ParseToolOptions({"m.onnx",         "--precision", "bf16",        "--shape=x:1x3",
                        "--shapes",       "y:0:2:3",     "--range",     "a:b:-1.5:3",
                        "--bench",        "7",           "--verify",    "--layers",
                        "--no-race",      "--strict",    "--device=2",  "--layer-precision",
                        "/a:0/Conv:fp32", "--save=p",    "--tolerance", "0.5"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->model, "m.onnx");
  EXPECT_EQ(options->engine.program.precision.precision, Precision::kBf16);
  EXPECT_EQ(options->engine.program.precision.layers.at("/a:0/Conv"), Precision::kFp32);
  EXPECT_EQ(options->shapes, (std::vector<std::string>{"x:1x3", "y:0:2:3"}));
  EXPECT_EQ(options->ranges.at("a:b").low, -1.5);
  EXPECT_EQ(options->ranges.at("a:b").high, 3);
  EXPECT_EQ(options->bench, 7);
  EXPECT_EQ(options->device, 2);
  EXPECT_TRUE(options->verify && options->layers && options->engine.program.strict);
  EXPECT_FALSE(options->engine.toolbox.race);
  EXPECT_EQ(options->save, "p");
  EXPECT_EQ(options->allowed(), 0.5);
}

TEST(ToolOptionsTest, SaysWhatIsWrong) {
  const struct {
    std::vector<std::string> arguments;
    std::string said;
  } kRows[] = {
      {{}, "no model"},
      {{"a", "b"}, "two models: a and b"},
      {{"m", "--nonsense"}, "unknown option --nonsense"},
      {{"m", "--bench"}, "--bench needs a value"},
      {{"m", "--bench", "0"}, "'0' is not a number of runs"},
      {{"m", "--bench", "5x"}, "'5x'"},
      {{"m", "--verify=yes"}, "--verify takes no value"},
      {{"m", "--precision", "fp8"}, "fp8"},
      {{"m", "--device", "-1"}, "'-1' is not the number of a GPU"},
      {{"m", "--shape", "1x3"}, "NAME:SHAPE"},
      {{"m", "--range", "x:1"}, "NAME:LOW:HIGH"},
      {{"m", "--range", "x:2:1"}, "NAME:LOW:HIGH"},
      {{"m", "--range", ":1:2"}, "NAME:LOW:HIGH"},
      {{"m", "--range", "x:a:2"}, "NAME:LOW:HIGH"},
      {{"m", "--layer-precision", "fp16"}, "NODE:PRECISION"},
      {{"m", "--tolerance", "nan"}, "relative difference"},
      {{"m", "--arch", "90"}, "an architecture"},
      {{"m", "--save="}, "--save"},
  };
  for (const auto& row : kRows) {
    EXPECT_NE(ErrorOf(row.arguments).find(row.said), std::string::npos)
        << row.said << " in " << ErrorOf(row.arguments);
  }
}

TEST(ToolOptionsTest, EveryOptionIsInTheHelp) {
  const std::string usage = ToolUsage("tool");
  for (const char* option :
       {"--precision", "--shapes", "--profile", "--verify", "--save", "--device", "--bench",
        "--layers", "--range", "--strict", "--no-race", "--help"}) {
    EXPECT_NE(usage.find(StrCat("  ", option)), std::string::npos) << option;
  }
  EXPECT_TRUE(ParseToolOptions({"--help"}).ok()) << "help needs no model";
}

TEST(ToolOptionsTest, ShapesAreNumbersBetweenCrosses) {
  EXPECT_EQ(*ParseShape("1x3x224"), (Shape{1, 3, 224}));
  EXPECT_EQ(*ParseShape("0"), Shape{0});
  EXPECT_EQ(*ParseShape(""), Shape());
  for (const char* text : {"x", "1x", "x1", "1xx2", "1x-2", "1x2y", "a", " 1"}) {
    EXPECT_FALSE(ParseShape(text).ok()) << text;
  }
}

// Inputs "in0" [?, 3] and "in0:0" [2].
Graph TwoInputs() {
  Graph graph;
  for (const char* name : {"in0", "in0:0"}) {
    graph.inputs.push_back(graph.AddValue({.name = name, .type = DataType::kFp32}));
  }
  graph.input_dims = {{{-1, "batch"}, {3, ""}}, {{2, ""}}};
  return graph;
}

TEST(ShapeSetsTest, WithoutAWordTheModelsExtentsHold) {
  const auto sets = ShapeSets(TwoInputs(), {});
  ASSERT_TRUE(sets.ok());
  EXPECT_EQ(*sets, (std::vector<std::vector<Shape>>{{Shape{1, 3}, Shape{2}}}));
}

TEST(ShapeSetsTest, EachFurtherShapeIsAnotherProgram) {
  const auto sets = ShapeSets(TwoInputs(), {"in0:1x3:8x3:32x3", "in0:0:2:4"});
  ASSERT_TRUE(sets.ok()) << sets.status();
  EXPECT_EQ(*sets,
            (std::vector<std::vector<Shape>>{
                {Shape{1, 3}, Shape{2}}, {Shape{8, 3}, Shape{4}}, {Shape{32, 3}, Shape{4}}}));
}

TEST(ShapeSetsTest, RefusesWhatTheModelHasNot) {
  const struct {
    const char* text;
    const char* said;
  } kRows[] = {{"out:1x3", "it has in0, in0:0"},
               {"in0:1x3x4", "the input has 2 extents"},
               {"in0:1x3:", "the input has 2 extents"},
               {"in0:1xq", "'1xq'"}};
  for (const auto& row : kRows) {
    const auto sets = ShapeSets(TwoInputs(), {row.text});
    ASSERT_FALSE(sets.ok()) << row.text;
    EXPECT_NE(Message(sets.status()).find(row.said), std::string_view::npos) << sets.status();
  }
}

TEST(RandomInputsTest, AreTheSameForTheSameSeedAndWithinTheirRange) {
  GraphMaker maker;
  const ValueId x = maker.Input({100});
  const ValueId ids = maker.Input({100}, DataType::kInt64);
  const ValueId half = maker.Input({100}, DataType::kFp16);
  maker.Output(x);
  const std::vector<Shape> shapes = {{100}, {100}, {100}};
  const std::string name = maker.graph().value(ids).name;
  const auto inputs = RandomInputs(maker.graph(), shapes, {{name, {5, 9}}}, 3);
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  EXPECT_EQ((*inputs)[2].type(), maker.graph().value(half).type);
  bool high = false, low = false;
  for (int64_t i = 0; i < 100; ++i) {
    EXPECT_LE(std::abs((*inputs)[0].AsDouble(i)), 1);
    const int64_t id = (*inputs)[1].AsInt64(i);
    EXPECT_TRUE(id >= 5 && id <= 9) << id;
    high = high || id == 9;
    low = low || id == 5;
  }
  EXPECT_TRUE(high && low);
  EXPECT_TRUE((*RandomInputs(maker.graph(), shapes, {{name, {5, 9}}}, 3))[0].SameAs((*inputs)[0]));
  EXPECT_FALSE((*RandomInputs(maker.graph(), shapes, {{name, {5, 9}}}, 4))[0].SameAs((*inputs)[0]));
}

}  // namespace
}  // namespace nereid::engine
