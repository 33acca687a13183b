// Abseil's view of a string, for the functions of Abseil that take no other.

#ifndef QUANTD_CORE_BASE_TO_ABSL_H_
#define QUANTD_CORE_BASE_TO_ABSL_H_

#include <string_view>

#include "absl/strings/string_view.h"

namespace quantd::core {

// Returns a view of the same characters. In Debian 12, absl::string_view is a type of
// its own; in Abseil built for C++17 it is std::string_view.
inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace quantd::core

#endif  // QUANTD_CORE_BASE_TO_ABSL_H_
