// Shows the progress of long operations.

#ifndef QUANTD_CLIENT_QUANTCTL_PROGRESS_BAR_H_
#define QUANTD_CLIENT_QUANTCTL_PROGRESS_BAR_H_

#include <cstdint>
#include <string_view>

#include "client/library/client.h"
#include "client/quantctl/terminal.h"
#include "core/base/element_type.h"

namespace quantd::client {

// Draws a bar on the terminal's error stream, and erases it when it is destroyed.
// Does nothing if `error_is_watched` is false.
class ProgressBar {
 public:
  explicit ProgressBar(const Terminal& terminal) : terminal_(terminal) {}
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // Shows that `done` of `total` steps are complete, followed by a short text. Both are at
  // least 0; the bar is full if more steps are complete than there were to be.
  void Show(std::int64_t done, std::int64_t total, std::string_view text);

 private:
  Terminal terminal_;
  bool is_drawn_ = false;
};

// Returns a callback that shows the progress of a call with a large tensor of this type
// on `bar`, which must outlive it.
Progress ShowTensor(ProgressBar& bar, core::ElementType type);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_PROGRESS_BAR_H_
