// A person's wish, told with Ctrl-C, that a command end early.

#ifndef QUANTD_CLIENT_QUANTCTL_INTERRUPTION_H_
#define QUANTD_CLIENT_QUANTCTL_INTERRUPTION_H_

#include <atomic>
#include <stop_token>

namespace quantd::client {

// Between main(), which hears the wish, and a command that ends in its own way
// where others are just ended. Both may be used from several threads.
class Interruption {
 public:
  // For the command: it is stopped by the first request from now on.
  std::stop_token Heed() {
    is_heeded_ = true;
    return source_.get_token();
  }

  // Asks the command to end. Returns false where none heeds it, or one was asked
  // before: the program has to end at once then.
  bool Request() { return is_heeded_ && source_.request_stop(); }

 private:
  std::stop_source source_;
  std::atomic<bool> is_heeded_ = false;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_INTERRUPTION_H_
