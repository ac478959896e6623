#include "backend/output_shape.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace nereid {
namespace {

// Named, because g++ 12 takes an empty Shape made in place for uninitialised at -O2.
const Shape kNoExtents;

struct Case {
  std::string name;
  bool model_batches;
  Shape dims;
  std::optional<Shape> reshape;
  Shape backend;
  std::optional<Shape> client;  // no value: an error
};

void PrintTo(const Case& row, std::ostream* out) { *out << row.name; }

class ClientShapeOf : public ::testing::TestWithParam<Case> {};

TEST_P(ClientShapeOf, UndoesTheReshape) {
  TensorSpec spec;
  spec.name = "Y";
  spec.dims = GetParam().dims;
  spec.reshape = GetParam().reshape;
  auto shape = ClientShape(spec, GetParam().backend, GetParam().model_batches);
  ASSERT_EQ(shape.ok(), GetParam().client.has_value()) << shape.status();
  if (shape.ok()) {
    EXPECT_EQ(*shape, *GetParam().client);
  } else {
    EXPECT_EQ(shape.status().code(), absl::StatusCode::kInternal);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cases, ClientShapeOf,
    ::testing::Values(
        Case{"as_it_is", true, {4}, std::nullopt, {2, 4}, Shape{2, 4}},
        Case{"unbatched", false, {-1, 4}, std::nullopt, {7, 4}, Shape{7, 4}},
        Case{"scalar_takes_the_configured_extents", false, {1}, std::nullopt, {}, Shape{1}},
        Case{"empty_reshape", true, {1}, kNoExtents, {5}, Shape{5, 1}},
        Case{"fixed", true, {2, 3}, Shape{6}, {4, 6}, Shape{4, 2, 3}},
        Case{"variable_in_order", true, {-1, 1, -1}, Shape{-1, -1}, {2, 3, 5}, Shape{2, 3, 1, 5}},
        Case{"unbatched_reshape", false, {1, -1}, Shape{-1}, {9}, Shape{1, 9}},
        Case{"wrong_rank", true, {1, -1}, Shape{-1}, {2, 3, 4}, std::nullopt},
        Case{"wrong_extent", true, {2, 3}, Shape{6}, {4, 7}, std::nullopt},
        Case{"no_batch_dimension", true, {1}, kNoExtents, {}, std::nullopt}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace nereid
