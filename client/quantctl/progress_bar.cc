#include "client/quantctl/progress_bar.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace quantd::client {
namespace {

constexpr std::size_t kProgressWidth = 30;
// ANSI sequence: go to the start of the line, and erase the line.
constexpr std::string_view kClearLine = "\r\x1b[K";

std::int64_t MebibytesOf(core::ElementType type, std::size_t count) {
  return static_cast<std::int64_t>(core::ElementBytes(type, count) >> 20U);
}

}  // namespace

ProgressBar::~ProgressBar() {
  if (is_drawn_) {
    terminal_.error << kClearLine << std::flush;
  }
}

void ProgressBar::Show(std::int64_t done, std::int64_t total, std::string_view text) {
  if (!terminal_.error_is_watched) {
    return;
  }
  is_drawn_ = true;
  // A load lasts longer than planned, for example, while its last calls are under way.
  const auto filled = static_cast<std::size_t>(
      done < total ? kProgressWidth * static_cast<double>(done) / static_cast<double>(total)
                   : kProgressWidth);
  const std::string bar = std::string(filled, '#') + std::string(kProgressWidth - filled, '.');
  terminal_.error << kClearLine << "[" << bar << "] " << done << "/" << total << " " << text
                  << std::flush;
}

Progress ShowTensor(ProgressBar& bar, core::ElementType type) {
  return [&bar, type](std::size_t done, std::size_t all) {
    // A small tensor completes in one step, so there is no progress to show.
    if (done < all) {
      bar.Show(MebibytesOf(type, done), MebibytesOf(type, all), "MiB");
    }
  };
}

}  // namespace quantd::client
