#include "client/quantctl/progress_bar.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace quantd::client {
namespace {

constexpr std::int64_t kProgressWidth = 30;
// ANSI sequence: go to the start of the line, and erase the line.
constexpr std::string_view kClearLine = "\r\x1b[K";

constexpr std::size_t kElementsPerMebibyte = (std::size_t{1} << 20U) / sizeof(float);

}  // namespace

ProgressBar::~ProgressBar() {
  if (is_drawn_) {
    terminal_.error << kClearLine << std::flush;
  }
}

void ProgressBar::Show(int done, int total, std::string_view text) {
  if (!terminal_.error_is_watched) {
    return;
  }
  is_drawn_ = true;
  const auto filled =
      static_cast<std::size_t>(total > 0 ? kProgressWidth * done / total : kProgressWidth);
  const std::string bar = std::string(filled, '#') +
                          std::string(static_cast<std::size_t>(kProgressWidth) - filled, '.');
  terminal_.error << kClearLine << "[" << bar << "] " << done << "/" << total << " " << text
                  << std::flush;
}

Progress ShowTensor(ProgressBar& bar) {
  return [&bar](std::size_t done, std::size_t all) {
    // A small tensor completes in one step, so there is no progress to show.
    if (done < all) {
      bar.Show(static_cast<int>(done / kElementsPerMebibyte),
               static_cast<int>(all / kElementsPerMebibyte), "MiB");
    }
  };
}

}  // namespace quantd::client
