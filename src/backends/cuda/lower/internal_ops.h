#pragma once

namespace nereid::engine {

// Operators of the domain "nereid" that exist between legalising and lowering only, so that neither
// the passes nor the reference executor know them.

// Gemm (a, b, bias?, residual?) → y
//   y = activation(alpha · op(a) · op(b) + residual + bias), as MatMul broadcasts. Attributes:
//   trans_a, trans_b (of the last two extents), alpha, activation: "", "Relu" or "GeluTanh". The
//   bias has the last extent of y, the residual its shape.
inline constexpr char kGemm[] = "Gemm";

// Depthwise (x, weight, bias?) → y
//   Conv with one filter a channel. Attributes of Conv, and activation: "" or the name of the
//   pointwise operator with alpha and beta its numbers (Clip: low, high). What it convolves is
//   input_scale · input_activation(x) + input_shift, with input_alpha and input_beta.
inline constexpr char kDepthwise[] = "Depthwise";

// AddNorm (x, scale?, bias?, residual?) → y, sum?
//   LayerNormalization or, with rms = 1, RMSNormalization of x + residual over the last axis; the
//   sum itself as second output.
inline constexpr char kAddNorm[] = "AddNorm";

// Recurrent (gates, r, hidden bias?, h?, c?, lengths?, peepholes?) → y?, last h?, last c?
//   LSTM, GRU or RNN (attribute cell) after the product of its inputs with W of all directions; the
//   other attributes are the operator's. The hidden bias is GRU's Rb for h, [directions, hidden].
inline constexpr char kRecurrent[] = "Recurrent";

// OnHost (inputs...) → outputs...
//   Runs the one node of the graph that is its attribute `body` on the host; its inputs are the
//   body's, its outputs parallel to the node's. Alone its operands may be without a place on the
//   device (lower/on_host.h).
inline constexpr char kOnHost[] = "OnHost";

}  // namespace nereid::engine
