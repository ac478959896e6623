#pragma once

namespace nereid {

// Blocks SIGINT and SIGTERM in the calling thread and those it starts, and ignores SIGPIPE. Call
// before any thread is made.
void BlockStopSignals();

// Waits for SIGINT or SIGTERM and prints "Signal (<n>) received."
void WaitForStopSignal();

}  // namespace nereid
