#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backends/cuda/tools/tool_options.h"

namespace nereid::engine {

// Compiles a model as `arguments` (what follows `program`'s name) say, printing to standard output
// what it finds, to standard error what is wrong. The exit status: ToolUsage() says which.
int RunCompileTool(std::string_view program, const std::vector<std::string>& arguments,
                   ToolOptions defaults = {});

}  // namespace nereid::engine
