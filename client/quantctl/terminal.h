#ifndef QUANTD_CLIENT_QUANTCTL_TERMINAL_H_
#define QUANTD_CLIENT_QUANTCTL_TERMINAL_H_

#include <ostream>

#include "client/quantctl/interruption.h"

namespace quantd::client {

// The streams that quantctl writes to, and how it is interrupted.
struct Terminal {
  // For results.
  std::ostream& output;
  // For errors and progress.
  std::ostream& error;
  // Whether `error` is a terminal. Progress is only shown if it is.
  bool error_is_watched = false;
  // Asks a command to end early; null if that is not possible.
  Interruption* interruption = nullptr;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_TERMINAL_H_
