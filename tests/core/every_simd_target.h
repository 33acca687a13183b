// Runs tests once on each SIMD target of the machine.

#ifndef QUANTD_TESTS_CORE_EVERY_SIMD_TARGET_H_
#define QUANTD_TESTS_CORE_EVERY_SIMD_TARGET_H_

#include <gtest/gtest.h>

#include <string>

#include "core/simd_target.h"

namespace quantd::core {

// The base of a fixture whose tests are written with TEST_P and instantiated with
// INSTANTIATE_ON_EVERY_SIMD_TARGET. Forces the target, and asserts that the kernels
// run on it.
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
