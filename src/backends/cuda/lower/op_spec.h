#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/cuda/codegen/pointwise.h"
#include "backends/cuda/device/device_op.h"
#include "backends/cuda/ir/graph.h"
#include "kernels/attention/attention.h"
#include "kernels/copy/copy.h"
#include "kernels/cudnn/convolution.h"
#include "kernels/cumsum/cumsum.h"
#include "kernels/depthwise/depthwise.h"
#include "kernels/gather/gather.h"
#include "kernels/gemm/gemm.h"
#include "kernels/jit/toolbox.h"
#include "kernels/norm/norm.h"
#include "kernels/one_hot/one_hot.h"
#include "kernels/pad/pad.h"
#include "kernels/pool/pool.h"
#include "kernels/range/range.h"
#include "kernels/recurrent/recurrent.h"
#include "kernels/reduce/reduce.h"
#include "kernels/resize/resize.h"
#include "kernels/scatter/scatter.h"
#include "kernels/softmax/softmax.h"
#include "kernels/topk/topk.h"
#include "kernels/transpose/transpose.h"
#include "kernels/trilu/trilu.h"

namespace nereid::engine {

// Arguments of factories that have no struct of their own.
struct MatMulSpec {
  GemmSpec base;
  Shape a, b;
};
struct ConcatSpec {
  DataType type = DataType::kFp32;
  std::vector<Shape> shapes;
  int64_t axis = 0;
};
struct TileSpec {
  DataType type = DataType::kFp32;
  Shape shape;
  std::vector<int64_t> repeats;
};
struct FillSpec {
  DataType type = DataType::kFp32;
  int64_t count = 0;
  double value = 0;
};
// A node that the reference executor runs on the host, between two pieces of device work. Tensors
// on the host lie in numbered slots; what is fetched into one stays there for later steps. On the
// device they are dense and of the types the graph gives.
struct HostSpec {
  struct Transfer {
    ValueId value = kNoValue;
    int slot = -1;
  };
  NodeId node = -1;
  std::string op;               // operator that runs: not nereid.OnHost, but what it stands for
  std::vector<Transfer> fetch;  // parallel to the step's inputs
  std::vector<Transfer> send;   // parallel to the step's outputs
  std::vector<int> operands;    // slots of all that the node reads; -1: a constant, or left out
  std::vector<int> results;     // slots of its outputs; -1: not wanted
  std::vector<int> last_used;   // slots that no later step reads
};

// What a step of a lowered program does: plain data, so that lowering is decided, and tested,
// without a GPU.
using OpSpec =
    std::variant<ConvolutionSpec, DepthwiseSpec, GemmSpec, MatMulSpec, AttentionSpec, PointwiseSpec,
                 RowNormSpec, GroupNormSpec, SoftmaxSpec, ReduceSpec, ArgReduceSpec, PoolSpec,
                 GlobalPoolSpec, ResizeSpec, TransposeSpec, LayoutSpec, StridedCopySpec, ConcatSpec,
                 TileSpec, PadSpec, GatherSpec, GatherElementsSpec, GatherNdSpec, ScatterNdSpec,
                 ScatterElementsSpec, OneHotSpec, RangeSpec, FillSpec, CumSumSpec, TopKSpec,
                 TriluSpec, RecurrentSpec, HostSpec>;

// "convolution", "gemm", …: the kind of work, for listings.
std::string_view KindOf(const OpSpec& spec);

// Extents and options, in a few words, for listings.
std::string DescribeSpec(const OpSpec& spec);

inline bool RunsOnHost(const OpSpec& spec) { return std::holds_alternative<HostSpec>(spec); }

// The device work of a spec that does not run on the host.
absl::StatusOr<std::unique_ptr<DeviceOp>> MakeOp(Toolbox& toolbox, const OpSpec& spec);

// A kernel that MakeOp() may want; compiling it before keeps compilers and races apart.
struct CandidateKernel {
  std::string source;
  const char* name = nullptr;

  bool operator<(const CandidateKernel& other) const { return source < other.source; }
};
std::vector<CandidateKernel> CandidateKernels(const Context& context, const OpSpec& spec);

}  // namespace nereid::engine
