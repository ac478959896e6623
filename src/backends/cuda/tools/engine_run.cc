// The compile tool as an executable of its own, which needs no server beside it: engine_run --help.

#include <string>
#include <vector>

#include "backends/cuda/tools/compile_tool.h"

int main(int argc, char** argv) {
  return nereid::engine::RunCompileTool("engine_run",
                                        std::vector<std::string>(argv + 1, argv + argc));
}
