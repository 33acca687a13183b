#ifndef QUANTD_CLIENT_QUANTCTL_TERMINAL_H_
#define QUANTD_CLIENT_QUANTCTL_TERMINAL_H_

#include <ostream>

#include "client/quantctl/interruption.h"

namespace quantd::client {

// Where quantctl writes to, and how it is interrupted.
struct Terminal {
  // Results.
  std::ostream& output;
  // Errors and progress.
  std::ostream& error;
  // Whether a person watches `error`: progress is shown there only then.
  bool error_is_watched = false;
  // Tells a command to end early; null where nobody can.
  Interruption* interruption = nullptr;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_TERMINAL_H_
