#pragma once

namespace nereid::engine {

// Operators that passes make. Their domain is kNereidDomain.
inline constexpr char kNereidDomain[] = "nereid";

// FusedConv (x, weight, bias?, residual?) → y
//   y = activation(Conv(x, weight, bias) + residual). Attributes of Conv, with explicit pads, and
//   activation: "" (none) or "Relu". The residual has the shape of y.
inline constexpr char kFusedConv[] = "FusedConv";

// FMHA (q, k, v, mask?) → y
//   y = Softmax(scale · q · transposed(k) + mask, last axis) · v, each of the first two (batch and
//   head) extents apart. q [B,H,M,D], k [B,H,N,D], v [B,H,N,E], y [B,H,M,E]; k and v may have fewer
//   heads (those of q are shared out evenly). The mask is added, broadcast to [B,H,M,N].
//   Attributes: float scale; int k_transposed: 1 when k is given as [B,H,D,N].
inline constexpr char kFmha[] = "FMHA";

}  // namespace nereid::engine
