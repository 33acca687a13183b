// Numbers as errors show them.

#ifndef QUANTD_CORE_DECIMAL_H_
#define QUANTD_CORE_DECIMAL_H_

#include <string>

#include "absl/strings/str_format.h"

namespace quantd::core {

// Prints enough digits to distinguish any two float32 values.
inline std::string Decimal(float value) { return absl::StrFormat("%.9g", value); }

}  // namespace quantd::core

#endif  // QUANTD_CORE_DECIMAL_H_
