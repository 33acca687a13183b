#include <pthread.h>
#include <unistd.h>

#ifdef QUANTD_TCMALLOC
#include <gperftools/malloc_extension.h>
#endif

#include <csignal>
#include <iostream>
#include <thread>

#include "client/quantctl/interruption.h"
#include "client/quantctl/quantctl.h"
#include "wire/transport.h"

namespace {

// Sent by main() to itself when there is nothing left to interrupt.
constexpr int kDone = SIGUSR1;

sigset_t HandledSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, kDone}) {
    sigaddset(&signals, signal);
  }
  return signals;
}

// Hands signals to the command that heeds them; ends the program where none
// does, as if they had never been blocked.
void AwaitSignals(const sigset_t& signals, quantd::client::Interruption& interruption) {
  for (int signal = 0; sigwait(&signals, &signal) == 0 && signal != kDone;) {
    if (!interruption.Request()) {
      pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
      std::raise(signal);
    }
  }
}

// The next message takes the memory of the last one: fresh pages would cost more
// than anything else that is done with them.
void KeepFreedMemory() {
#ifdef QUANTD_TCMALLOC
  MallocExtension::instance()->SetMemoryReleaseRate(0);
#endif
}

}  // namespace

int main(int argc, char** argv) {
  // Before the first thread, which all others inherit it from.
  const sigset_t signals = HandledSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  quantd::client::Interruption interruption;
  std::jthread signal_thread([&] { AwaitSignals(signals, interruption); });

  KeepFreedMemory();
  quantd::wire::DisableLockChecks();
  const int exit_code =
      quantd::client::RunQuantctl(argc, argv,
                                  {.output = std::cout,
                                   .error = std::cerr,
                                   .error_is_watched = ::isatty(STDERR_FILENO) == 1,
                                   .interruption = &interruption});
  pthread_kill(signal_thread.native_handle(), kDone);
  return exit_code;
}
