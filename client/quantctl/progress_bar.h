// Progress of long work, for a person who waits.

#ifndef QUANTD_CLIENT_QUANTCTL_PROGRESS_BAR_H_
#define QUANTD_CLIENT_QUANTCTL_PROGRESS_BAR_H_

#include <string_view>

#include "client/library/client.h"
#include "client/quantctl/terminal.h"

namespace quantd::client {

// Draws a bar on the terminal's error stream, and takes it away again when it
// is destroyed; does nothing where nobody watches.
class ProgressBar {
 public:
  explicit ProgressBar(const Terminal& terminal) : terminal_(terminal) {}
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // Shows that step `done` of `total` is at work, and a short text behind it.
  void Show(int done, int total, std::string_view text);

 private:
  Terminal terminal_;
  bool is_drawn_ = false;
};

// Shows on `bar`, which must outlive it, how far a call is with a large tensor.
Progress ShowTensor(ProgressBar& bar);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_PROGRESS_BAR_H_
