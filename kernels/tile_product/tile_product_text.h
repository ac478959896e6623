#pragma once

#include <string>

namespace nereid::engine {

// The kernel's text behind the prelude. Macros: T, MMA_TYPE ("f16"), BM, BN, STAGES, B_ROWS (B is
// n×k), IMAGE (A is an image).
std::string TileProductText(int columns, bool b_rows);

}  // namespace nereid::engine
