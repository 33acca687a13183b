// Tests that run once on every SIMD target of the machine.

#ifndef QUANTD_TESTS_CORE_EVERY_SIMD_TARGET_H_
#define QUANTD_TESTS_CORE_EVERY_SIMD_TARGET_H_

#include <gtest/gtest.h>

#include <string>

#include "core/simd_target.h"

namespace quantd::core {

// Derive a fixture, write TEST_P, and instantiate it with
// INSTANTIATE_ON_EVERY_SIMD_TARGET. The target is forced, and proved to be the
// one that the kernels run on.
class EverySimdTarget : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(ForceSimdTarget(GetParam()).ok());
    ASSERT_EQ(ActiveSimdTarget(), GetParam());
  }
  void TearDown() override { ASSERT_TRUE(ForceSimdTarget("").ok()); }
};

#define INSTANTIATE_ON_EVERY_SIMD_TARGET(fixture)           \
  INSTANTIATE_TEST_SUITE_P(                                 \
      , fixture, testing::ValuesIn(SupportedSimdTargets()), \
      [](const testing::TestParamInfo<std::string>& parameter) { return parameter.param; })

}  // namespace quantd::core

#endif  // QUANTD_TESTS_CORE_EVERY_SIMD_TARGET_H_
