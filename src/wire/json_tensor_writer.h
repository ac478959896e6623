#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "nereid/response.h"

namespace nereid {

// Appends the elements of `output` as one flat JSON array. Numbers are written in the shortest form
// that reads back as the same double, whole ones with ".0"; NaN and infinities as the bare words
// NaN, Infinity and -Infinity.
//   INVALID_ARGUMENT: a type without a JSON form.
//   INTERNAL: the data does not fit the shape, or cannot be read by the host.
absl::Status AppendJsonTensor(const OutputTensor& output, std::string* out);

// Appends `value` as above.
void AppendJsonDouble(double value, std::string* out);

// Appends the bytes of `text` as a JSON string; only quotes, backslashes and control characters are
// escaped, so that the result is as good a text as `text` is.
void AppendJsonBytes(std::string_view text, std::string* out);

}  // namespace nereid
