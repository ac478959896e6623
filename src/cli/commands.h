#pragma once

#include <string>
#include <vector>

namespace nereid {

// The program's commands; each returns its exit status and prints what it has to say.

// nereid [options]: serves until a signal ends it.
int Serve(const std::vector<std::string>& arguments);

// nereid check <repository>…: one line a finding; 0 when every model could be served.
int Check(const std::vector<std::string>& arguments);

// nereid compile [--backend <name>] [--backend-directory <folder>] <model> [options]: calls the
// tool of a backend module, `cuda` unless another is named; what the tool returns.
int Compile(std::vector<std::string> arguments);

// The documents that are made from tables: `--options-document`, `--metrics-document`.
bool PrintDocument(const std::string& argument);

}  // namespace nereid
