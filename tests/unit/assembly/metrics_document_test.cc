#include "assembly/metrics_document.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "common/strings.h"

namespace nereid {
namespace {

TEST(MetricsDocumentTest, IsInStepWithTheTables) {
  std::ostringstream text;
  text << std::ifstream(StrCat(NEREID_SOURCE_DIR, "/docs/metrics.md")).rdbuf();
  EXPECT_EQ(text.str(), MetricsDocument()) << "run: nereid --metrics-document > docs/metrics.md";
}

}  // namespace
}  // namespace nereid
