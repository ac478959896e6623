#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace nereid {

using ParameterValue = std::variant<bool, int64_t, uint64_t, double, std::string>;

// A named scalar that travels with a request or a response.
struct Parameter {
  std::string name;
  ParameterValue value;
};

// Few and in order of arrival: a list, searched linearly.
using Parameters = std::vector<Parameter>;

inline const ParameterValue* FindParameter(const Parameters& parameters, std::string_view name) {
  for (const Parameter& parameter : parameters) {
    if (parameter.name == name) return &parameter.value;
  }
  return nullptr;
}

}  // namespace nereid
