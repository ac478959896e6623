#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

// Canonical form: what every pass, the reference executor and the lowering may rely on. An operator
// of the default domain has inputs, attributes and defaults of ONNX opset 23, whatever the file's
// opset, and moreover:
//
//   Constant, Identity, Dropout
//       are gone: constants are values, the others' readers read their input. An Identity stays
//       where an output of the whole graph would otherwise be an input or another output. A
//       Dropout's mask is a ConstantOfShape.
//   Clip, Pad, ReduceX, Slice, Split, Squeeze, TopK, Unsqueeze
//       min, pads, axes, starts, split, k, ... are inputs.
//   Split
//       always has `num_outputs` or the input `split`.
//   Reshape, Expand, Tile
//       the target is an input.
//   Resize
//       always (x, roi?, scales?, sizes?); Upsample and Resize 10 arrive as Resize with
//       coordinate_transformation_mode asymmetric and nearest_mode floor.
//   Softmax, LogSoftmax, Hardmax
//       work along one axis, default -1. Those of opsets before 13, over flattened extents, arrive
//       as Flatten, Softmax and Reshape unless the axis is known to be the last.
//   BatchNormalization
//       inference only: (x, scale, bias, mean, variance) -> y; attribute epsilon.
//   Gemm
//       C may be left out.
//   Cast
//       `to` is a number of ONNX (ir/onnx_type.h).
//   Add, Sub, ... before opset 7
//       `broadcast` and `axis` are gone; an Unsqueeze stands for them. PRelu's slopes by channel
//       likewise.
//   Scatter is ScatterElements. Sum, Max, Min, Mean of one input are gone.
//   GroupNormalization
//       has a scale and a bias for each channel.
//   ConstantOfShape
//       stays a node, so that weights made by it cost nothing until they are used.
//   Conv, pools
//       `auto_pad` may be present (Specialize resolves it).
//   com.microsoft
//       Gelu, FastGelu, BiasGelu, QuickGelu, LayerNormalization, SkipLayerNormalization,
//       SimplifiedLayerNormalization, SkipSimplifiedLayerNormalization, FusedConv and FusedGemm
//       arrive as the ONNX operators that they stand for (QuickGelu as Swish with alpha). The other
//       operators of that domain stay as they are.
//   Functions of the model are inlined.
//
// Attributes that an operator does not have any more (consumed_inputs, momentum, spatial, ...) are
// removed where they have no effect and refused where they have one.

// Hears which value stands for an output that no node makes: `value` is kNoValue for one that the
// canonical form does not have.
class NodeSink {
 public:
  virtual ~NodeSink() = default;
  virtual void Alias(ValueId output, ValueId value) = 0;
};

// Appends `node`, whose operator is of version `opset` of its domain, to `graph` in canonical form:
// as it is, as other nodes, or as nothing but constants and aliases, which `sink` hears of.
// UNIMPLEMENTED or INVALID_ARGUMENT, without the node's name, for what has no such form.
absl::Status NormalizeNode(Node node, int64_t opset, Graph& graph, NodeSink& sink);

}  // namespace nereid::engine
