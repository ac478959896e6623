#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/cuda/ir/graph_editor.h"

namespace nereid::engine {

// Small questions that patterns ask.

// The number that all elements of a constant of numbers equal; absent for other values, and for
// constants of more than 4096 elements.
std::optional<double> ScalarOf(const GraphEditor& editor, ValueId id);
// Whether it is a constant within 1e-3 of `number`, relatively: exporters round.
bool IsNear(const GraphEditor& editor, ValueId id, double number);

// Of a node of two inputs: the one that is a scalar constant, and the other value. Absent when none
// is, or when the constant would broadcast the other to more axes.
std::optional<std::pair<ValueId, double>> SplitScalar(const GraphEditor& editor, const Node& node);
// The other input of a node of two.
ValueId OtherInput(const Node& node, ValueId one);

// A value as product: scalar · value · value …. Multiplications, divisions by a scalar and small
// whole powers are opened where nothing else reads them.
struct Factors {
  double scalar = 1;
  std::vector<ValueId> values;

  // Removes a value; whether it was there.
  bool Take(ValueId id);
};
Factors FactorsOf(const GraphEditor& editor, ValueId id);

// The elements of a floating constant that has one number for each channel, or one for all, along
// axis 1 of a value of `rank` axes. Absent for nullptr and other constants.
std::optional<std::vector<double>> ChannelNumbers(const HostTensor* tensor, size_t rank,
                                                  int64_t channels);

// The shape, if all of it is known; else nullptr.
const Shape* KnownShape(const GraphEditor& editor, ValueId id);

// A floating constant: element i is make(i), rounded to the type.
HostTensor MakeTensor(DataType type, const Shape& shape,
                      const std::function<double(int64_t)>& make);

}  // namespace nereid::engine
