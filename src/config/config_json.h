#pragma once

#include <string>

namespace inference {
class ModelConfig;
}

namespace nereid {

// The JSON form that clients and backends read: proto field names in the order of their
// declaration, enums by name, every scalar, list and map present even at its default, unset
// messages and members of a oneof left out. 64-bit integers are numbers, but for the few fields
// whose readers expect a string. Maps are in key order, so that equal configurations print equally.
std::string ConfigToJson(const inference::ModelConfig& config);

}  // namespace nereid
