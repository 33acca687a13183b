#ifndef QUANTD_CLIENT_QUANTCTL_TERMINAL_H_
#define QUANTD_CLIENT_QUANTCTL_TERMINAL_H_

#include <ostream>

namespace quantd::client {

// Where quantctl writes to.
struct Terminal {
  // Results.
  std::ostream& output;
  // Errors and progress.
  std::ostream& error;
  // Whether a person watches `error`: progress is shown there only then.
  bool error_is_watched = false;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_TERMINAL_H_
