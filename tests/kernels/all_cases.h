#pragma once

#include "tests/kernels/matrix_cases.h"
#include "tests/kernels/move_cases.h"
#include "tests/kernels/order_cases.h"
#include "tests/kernels/pointwise_cases.h"
#include "tests/kernels/recurrent_cases.h"
#include "tests/kernels/row_cases.h"
#include "tests/kernels/sequence_cases.h"

namespace nereid::engine {

// Every operator's cases, in the order of the table.
inline KernelCases AllKernelCases() {
  KernelCases cases;
  AddPointwiseCases(&cases);
  AddGemmCases(&cases);
  AddConvolutionCases(&cases);
  AddTileProductCases(&cases);
  AddTileConvolutionCases(&cases);
  AddDepthwiseCases(&cases);
  AddPoolCases(&cases);
  AddSoftmaxCases(&cases);
  AddNormCases(&cases);
  AddReduceCases(&cases);
  AddMoveCases(&cases);
  AddOrderCases(&cases);
  AddAttentionCases(&cases);
  AddRecurrentCases(&cases);
  return cases;
}

}  // namespace nereid::engine
