// Waits for the effects of another thread or process.

#ifndef QUANTD_TESTS_WAIT_UNTIL_H_
#define QUANTD_TESTS_WAIT_UNTIL_H_

#include <chrono>
#include <thread>

namespace quantd {

// Evaluates `condition` repeatedly until it holds. Returns false after a minute.
template <typename Condition>
bool WaitUntil(Condition condition, std::chrono::seconds timeout = std::chrono::minutes(1)) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace quantd

#endif  // QUANTD_TESTS_WAIT_UNTIL_H_
