#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"
#include "backends/cuda/lower/precision.h"

namespace nereid::engine {

// Constants that legalising puts together from others, kept so that all programs of an engine share
// them (and their copies on the device). Any thread.
class ConstantPool {
 public:
  // Matrices of equally many rows, or vectors, of one type side by side.
  HostTensor JoinColumns(const std::vector<HostTensor>& parts);

 private:
  std::mutex mutex_;
  std::map<std::vector<const void*>, std::pair<std::vector<HostTensor>, HostTensor>> joined_;
};

// Rewrites a graph of known input shapes into what the lowering has device work for, fusing what
// one piece of work can do (lower/internal_ops.h):
//   nodes on values without a place on the device → nereid.OnHost;
//   MatMul, Gemm → nereid.Gemm, with a bias, a residual and an activation that follow;
//   several of them on one input with weights → one, and a Split;
//   Conv with one filter a channel → nereid.Depthwise, with the activation that follows;
//   Add, LayerNormalization → nereid.AddNorm;
//   BatchNormalization → Mul and Add; a bias of ConvTranspose → Add;
//   LSTM, GRU, RNN → nereid.Gemm of all steps at once, and nereid.Recurrent.
absl::Status Legalize(Graph& graph, const PrecisionOptions& precision, ConstantPool& pool);

}  // namespace nereid::engine
