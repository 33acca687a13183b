#include <pthread.h>
#include <unistd.h>

#ifdef QUANTD_TCMALLOC
#include <gperftools/malloc_extension.h>
#endif

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

#include "client/quantctl/interruption.h"
#include "client/quantctl/quantctl.h"
#include "wire/transport.h"

namespace {

// main() sends this to its signal thread when there is nothing left to interrupt.
constexpr int kDone = SIGUSR1;

sigset_t HandledSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, kDone}) {
    sigaddset(&signals, signal);
  }
  return signals;
}

// Passes signals to the command if it handles them. Otherwise ends the program, as
// if the signals had never been blocked.
void AwaitSignals(const sigset_t& signals, quantd::client::Interruption& interruption) {
  for (int signal = 0; sigwait(&signals, &signal) == 0 && signal != kDone;) {
    if (!interruption.Request()) {
      pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
      std::raise(signal);
    }
  }
}

// Makes the allocator keep freed memory for the next message. Fresh pages would cost
// more than anything else that is done with them.
void KeepFreedMemory() {
#ifdef QUANTD_TCMALLOC
  MallocExtension::instance()->SetMemoryReleaseRate(0);
#endif
}

std::string Variable(const char* name) {
  // Nothing changes the environment.
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value == nullptr ? "" : value;
}

// The configuration file is where the XDG Base Directory Specification puts it.
std::string DefaultConfigurationFile() {
  const std::string folder = Variable("XDG_CONFIG_HOME");
  const std::string home = Variable("HOME");
  if (folder.empty() && home.empty()) {
    return "";
  }
  return (folder.empty() ? home + "/.config" : folder) + "/quantd/quantctl.toml";
}

// The first of the variables in which gRPC looks for a proxy, without a password.
std::string Proxy() {
  for (const char* const name : {"grpc_proxy", "https_proxy", "http_proxy"}) {
    const std::string proxy = Variable(name);
    if (!proxy.empty()) {
      const std::size_t user_end = proxy.rfind('@');
      return user_end == std::string::npos ? proxy : proxy.substr(user_end + 1);
    }
  }
  return "";
}

quantd::client::UserEnvironment ReadEnvironment() {
  const std::string named = Variable("QUANTCTL_CONFIG");
  return {.configuration_file = named.empty() ? DefaultConfigurationFile() : named,
          .needs_configuration_file = !named.empty(),
          .proxy = Proxy()};
}

}  // namespace

int main(int argc, char** argv) {
  // The signals are blocked before the first thread starts, because all threads
  // inherit the mask.
  const sigset_t signals = HandledSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  quantd::client::Interruption interruption;
  std::jthread signal_thread([&] { AwaitSignals(signals, interruption); });

  KeepFreedMemory();
  quantd::wire::DisableLockChecks();
  const int exit_code =
      quantd::client::RunQuantctl(argc, argv, ReadEnvironment(),
                                  {.output = std::cout,
                                   .error = std::cerr,
                                   .error_is_watched = ::isatty(STDERR_FILENO) == 1,
                                   .interruption = &interruption});
  pthread_kill(signal_thread.native_handle(), kDone);
  return exit_code;
}
