#include "core/simd_target.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/to_absl.h"
#include "core/kernels/dispatched_target.h"
#include "hwy/targets.h"

namespace quantd::core {
namespace {

// Returns the targets that were compiled and that this machine can run, one bit
// each; the lowest is the best. Asks Highway once, because a forced target hides
// the others.
std::int64_t RunnableTargets() {
  static const std::int64_t targets = hwy::SupportedTargets() & HWY_TARGETS;
  return targets;
}

std::vector<std::int64_t> BestFirst(std::int64_t targets) {
  std::vector<std::int64_t> sorted;
  for (; targets != 0; targets &= targets - 1) {
    sorted.push_back(targets & -targets);
  }
  return sorted;
}

void UseTargets(std::int64_t targets) {
  hwy::SetSupportedTargetsForTest(targets);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace

std::vector<std::string> SupportedSimdTargets() {
  std::vector<std::string> names;
  for (const std::int64_t target : BestFirst(RunnableTargets())) {
    names.emplace_back(hwy::TargetName(target));
  }
  return names;
}

std::string ActiveSimdTarget() { return hwy::TargetName(kernels::DispatchedTarget()); }

absl::Status ForceSimdTarget(std::string_view name) {
  if (name.empty()) {
    UseTargets(RunnableTargets());
    return absl::OkStatus();
  }
  for (const std::int64_t target : BestFirst(RunnableTargets())) {
    if (name == hwy::TargetName(target)) {
      UseTargets(target);
      return absl::OkStatus();
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "SIMD target \"", ToAbsl(name), "\" is not one that this machine can run; expected one of ",
      absl::StrJoin(SupportedSimdTargets(), ", ")));
}

}  // namespace quantd::core
