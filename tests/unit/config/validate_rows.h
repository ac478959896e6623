#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config_test_util.h"

namespace nereid::testing {

// A configuration and the complaint about it; an empty message means it is fine.
struct ValidateRow {
  std::string text, message;
};

// `check` answers INVALID_ARGUMENT with exactly the message of each row.
template <typename Check>
void ExpectMessages(const std::vector<ValidateRow>& rows, const Check& check) {
  for (const ValidateRow& row : rows) {
    const absl::Status status = check(ParseNormalized(row.text));
    EXPECT_EQ(Text(status), row.message) << row.text;
    EXPECT_EQ(status.code(),
              row.message.empty() ? absl::StatusCode::kOk : absl::StatusCode::kInvalidArgument)
        << row.text;
  }
}

// A configuration named m of a backend without platform names, with `text` added.
inline std::string Model(const std::string& text) { return "name: \"m\" backend: \"b\" " + text; }

}  // namespace nereid::testing
