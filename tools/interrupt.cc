#include "tools/interrupt.h"

#include <csignal>

namespace eddy::tools {

namespace {

// A flag is all that a signal handler may touch.
volatile std::sig_atomic_t interrupted = 0;

}  // namespace

void CatchInterrupt() {
  std::signal(SIGINT, [](int) {
    interrupted = 1;
    std::signal(SIGINT, SIG_DFL);
  });
}

bool Interrupted() { return interrupted != 0; }

}  // namespace eddy::tools
