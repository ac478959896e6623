#include <string_view>

#include "backends/cuda/exec/segment.h"
#include "gtest/gtest.h"

namespace nereid::engine {
namespace {

class OneKernel final : public DeviceOp {
 public:
  absl::Status Launch(absl::Span<const DevicePointer>, absl::Span<const DevicePointer>,
                      DevicePointer, DeviceStream) const override {
    return absl::OkStatus();
  }
};

// 'd': a step of one kernel on the device, 'h': one on the host.
std::vector<ProgramStep> Steps(std::string_view text) {
  std::vector<ProgramStep> steps;
  for (const char c : text) {
    steps.push_back({"", HostSpec{}, nullptr, {}, {}});
    if (c == 'd') steps.back().op = std::make_unique<OneKernel>();
  }
  return steps;
}

// Each segment as its steps, in brackets where it is worth a graph.
std::string Segmented(std::string_view text) {
  std::string found;
  for (const Segment& segment : SegmentsOf(Steps(text))) {
    const std::string_view steps = text.substr(segment.begin, segment.end - segment.begin);
    EXPECT_EQ(segment.on_host, steps == "h");
    found += segment.worth_capturing ? "[" + std::string(steps) + "]" : std::string(steps);
    found += ' ';
  }
  return found;
}

TEST(SegmentTest, AProgramWithoutTheHostIsOneGraph) {
  EXPECT_EQ(Segmented("dddd"), "[dddd] ");
  EXPECT_EQ(Segmented("d"), "[d] ");
  EXPECT_EQ(Segmented(""), "");
}

TEST(SegmentTest, StepsOnTheHostPartGraphs) {
  EXPECT_EQ(Segmented("dddhddddhh"), "[ddd] h [dddd] h h ");
  EXPECT_EQ(Segmented("hddd"), "h [ddd] ");
}

TEST(SegmentTest, AFewLaunchesBetweenStepsOnTheHostAreNotWorthAGraph) {
  EXPECT_EQ(Segmented("ddhdddhd"), "dd h [ddd] h d ");
}

TEST(SegmentTest, BytesOfAGraphStayBetweenWhatItsNodesNeed) {
  constexpr size_t kMegabyte = size_t{1} << 20;
  EXPECT_EQ(GraphBytes(100, 10 * kMegabyte, 8 * kMegabyte), 2 * kMegabyte);
  // Memory that others took, or gave back, meanwhile.
  EXPECT_LE(GraphBytes(100, 1000 * kMegabyte, 0), 100 * (size_t{64} << 10));
  EXPECT_GE(GraphBytes(100, 0, 1000 * kMegabyte), size_t{100} << 10);
}

}  // namespace
}  // namespace nereid::engine
