// Macros that return the error of another function to the caller.

#ifndef QUANTD_CORE_BASE_STATUS_MACROS_H_
#define QUANTD_CORE_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Evaluates `expression`, an absl::Status, and returns it from the current
// function if it is not OK.
#define RETURN_IF_ERROR(expression)                                         \
  do {                                                                      \
    if (::absl::Status quantd_status = (expression); !quantd_status.ok()) { \
      return quantd_status;                                                 \
    }                                                                       \
  } while (false)

// Evaluates `expression`, an absl::StatusOr<T>. Moves its value into
// `declaration`, or returns its status from the current function.
//
//   ASSIGN_OR_RETURN(const std::size_t count, ElementCount(shape));
//
// Put an expression with a comma outside parentheses into parentheses.
#define ASSIGN_OR_RETURN(declaration, ...) \
  QUANTD_ASSIGN_OR_RETURN(QUANTD_CONCATENATE(quantd_status_or_, __LINE__), declaration, __VA_ARGS__)

#define QUANTD_ASSIGN_OR_RETURN(status_or, declaration, ...) \
  auto status_or = (__VA_ARGS__);                            \
  if (!status_or.ok()) {                                     \
    return std::move(status_or).status();                    \
  }                                                          \
  declaration = *std::move(status_or)

#define QUANTD_CONCATENATE(a, b) QUANTD_CONCATENATE_EXPANDED(a, b)
#define QUANTD_CONCATENATE_EXPANDED(a, b) a##b

#endif  // QUANTD_CORE_BASE_STATUS_MACROS_H_
