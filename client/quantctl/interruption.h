// Lets the user end a command early with Ctrl-C.

#ifndef QUANTD_CLIENT_QUANTCTL_INTERRUPTION_H_
#define QUANTD_CLIENT_QUANTCTL_INTERRUPTION_H_

#include <atomic>
#include <stop_token>

namespace quantd::client {

// Connects main(), which receives the signal, with a command that wants to end in
// an orderly way instead of being killed. Thread-safe.
class Interruption {
 public:
  // Called by the command. Returns a token on which the next Request() requests a
  // stop.
  std::stop_token Heed() {
    is_heeded_ = true;
    return source_.get_token();
  }

  // Asks the command to end. Returns false if no command called Heed(), or if it was
  // asked before; in both cases the program has to end at once.
  bool Request() { return is_heeded_ && source_.request_stop(); }

 private:
  std::stop_source source_;
  std::atomic<bool> is_heeded_ = false;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_INTERRUPTION_H_
