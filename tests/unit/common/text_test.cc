#include <gtest/gtest.h>

#include "common/strings.h"
#include "common/text_table.h"

namespace nereid {
namespace {

TEST(StrCatTest, JoinsTextAndNumbers) {
  const std::string_view view = "view";
  EXPECT_EQ(StrCat("a", std::string("b"), view, 'c', -7, 18446744073709551615u, 0.5, true),
            "abviewc-7184467440737095516150.51");
  EXPECT_EQ(StrCat(absl::string_view("x")), "x");
}

TEST(TextTableTest, PadsColumnsAndBreaksLines) {
  TextTable table({"Model", "Status"});
  table.AddRow({"simple", "READY"});
  table.AddRow({"b", "first\nsecond"});
  EXPECT_EQ(table.Text(),
            "+--------+--------+\n"
            "| Model  | Status |\n"
            "+--------+--------+\n"
            "| simple | READY  |\n"
            "| b      | first  |\n"
            "|        | second |\n"
            "+--------+--------+\n");
}

}  // namespace
}  // namespace nereid
