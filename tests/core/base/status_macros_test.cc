#include "core/base/status_macros.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

namespace quantd::core {
namespace {

// Counts how often `status` is evaluated.
absl::Status Counted(const absl::Status& status, int& evaluations) {
  ++evaluations;
  return status;
}

absl::Status ReturnIfError(const absl::Status& status, int& evaluations) {
  RETURN_IF_ERROR(Counted(status, evaluations));
  return absl::UnknownError("went on");
}

TEST(ReturnIfError, ReturnsAnErrorOnce) {
  int evaluations = 0;
  EXPECT_EQ(ReturnIfError(absl::DataLossError("lost"), evaluations), absl::DataLossError("lost"));
  EXPECT_EQ(evaluations, 1);
}

TEST(ReturnIfError, GoesOnWithoutAnError) {
  int evaluations = 0;
  EXPECT_EQ(ReturnIfError(absl::OkStatus(), evaluations), absl::UnknownError("went on"));
  EXPECT_EQ(evaluations, 1);
}

absl::StatusOr<int> Sum(const absl::StatusOr<int>& a, const absl::StatusOr<int>& b) {
  ASSIGN_OR_RETURN(int sum, a);
  ASSIGN_OR_RETURN(const int addend, b);
  sum += addend;
  return sum;
}

TEST(AssignOrReturn, DeclaresTheValues) { EXPECT_EQ(*Sum(2, 3), 5); }

TEST(AssignOrReturn, ReturnsTheFirstError) {
  EXPECT_EQ(Sum(absl::DataLossError("a"), absl::AbortedError("b")).status(),
            absl::DataLossError("a"));
  EXPECT_EQ(Sum(2, absl::AbortedError("b")).status(), absl::AbortedError("b"));
}

absl::StatusOr<std::unique_ptr<int>> Move(absl::StatusOr<std::unique_ptr<int>> from) {
  std::unique_ptr<int> to;
  ASSIGN_OR_RETURN(to, std::move(from));
  return to;
}

TEST(AssignOrReturn, MovesIntoAVariableThatExists) {
  EXPECT_EQ(**Move(std::make_unique<int>(7)), 7);
}

}  // namespace
}  // namespace quantd::core
