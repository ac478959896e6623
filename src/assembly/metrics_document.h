#pragma once

#include <string>

namespace nereid {

// docs/metrics.md, made from the tables of metric families.
std::string MetricsDocument();

}  // namespace nereid
