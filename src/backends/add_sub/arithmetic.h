#pragma once

#include <cstddef>

#include "nereid/data_type.h"

namespace nereid::add_sub {

// Writes the sums and the differences of `count` element pairs. The blocks need no alignment and do
// not overlap; an output that is nullptr is not computed. Integers wrap around.
using AddSub = void (*)(const std::byte* left, const std::byte* right, size_t count, std::byte* sum,
                        std::byte* difference);

// nullptr for types that have no arithmetic: BOOL and BYTES.
AddSub AddSubFor(DataType type);

}  // namespace nereid::add_sub
