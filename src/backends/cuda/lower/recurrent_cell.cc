#include "backends/cuda/lower/recurrent_cell.h"

#include <string_view>

#include "backends/cuda/lower/internal_ops.h"

namespace nereid::engine {
namespace {

constexpr struct {
  std::string_view op;
  RecurrentCell cell;
} kCells[] = {
    {"GRU", RecurrentCell::kGru}, {"LSTM", RecurrentCell::kLstm}, {"RNN", RecurrentCell::kRnn}};

template <typename T>
std::vector<T> ListOf(const Node& node, std::string_view name) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) return {};
  const auto* list = std::get_if<std::vector<T>>(&found->second);
  return list == nullptr ? std::vector<T>{} : *list;
}

}  // namespace

std::optional<RecurrentCell> CellOf(const Node& node) {
  const std::string name = node.op == kRecurrent ? node.String("cell", "") : node.op;
  for (const auto& row : kCells) {
    if (row.op == name) return row.cell;
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<RecurrentActivation>> ActivationsOf(const Node& node, RecurrentCell cell,
                                                               int64_t directions) {
  return ActivationsOf(cell, directions, ListOf<std::string>(node, "activations"),
                       ListOf<float>(node, "activation_alpha"),
                       ListOf<float>(node, "activation_beta"));
}

}  // namespace nereid::engine
