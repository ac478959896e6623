#include <string>
#include <vector>

#include "backends/cuda/tools/compile_tool.h"

// What `nereid compile` calls (docs/backends.md).
extern "C" __attribute__((visibility("default"))) int NereidBackendTool(int argc,
                                                                        const char* const* argv) {
  return nereid::engine::RunCompileTool(
      argc > 0 ? argv[0] : "compile",
      std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
}
