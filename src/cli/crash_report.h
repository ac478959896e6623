#pragma once

namespace nereid {

// Has a crash of the process (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, on any thread) say on
// stderr which signal it was and where the thread was, as "module(symbol+offset)", innermost first;
// the process then ends by that signal, with a core dump where the system makes them. Sanitizers
// report crashes themselves, and are left to it. Call before other threads are started.
void ReportCrashes();

}  // namespace nereid
