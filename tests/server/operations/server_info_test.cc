// Tests how a server describes itself.

#include "server/operations/server_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/simd_target.h"
#include "version.h"

namespace quantd::server {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

// The entry for a method, a numerics, and a kind of parameters; empty if there is none.
v1::MethodSupport EntryOf(const v1::GetServerInfoResponse& info, const std::string& method,
                          v1::Numerics numerics, v1::ParameterKind kind) {
  for (const v1::MethodSupport& entry : info.methods()) {
    if (entry.method() == method && entry.numerics() == numerics &&
        std::ranges::count(entry.parameters(), kind) > 0) {
      return entry;
    }
  }
  return {};
}

TEST(DescribeServer, ListsWhatEachMethodTakesWithEachNumerics) {
  const v1::GetServerInfoResponse info = DescribeServer({});
  const v1::MethodSupport tensorflow =
      EntryOf(info, "Quantize", v1::NUMERICS_TENSORFLOW, v1::PARAMETER_KIND_RANGE);
  EXPECT_THAT(tensorflow.parameters(),
              ElementsAre(v1::PARAMETER_KIND_RANGE, v1::PARAMETER_KIND_RANGE_PER_CHANNEL,
                          v1::PARAMETER_KIND_DATA_RANGE));
  EXPECT_THAT(tensorflow.input_types(),
              ElementsAre(v1::DATA_TYPE_FLOAT32, v1::DATA_TYPE_FLOAT16, v1::DATA_TYPE_BFLOAT16));
  EXPECT_THAT(tensorflow.output_types(), testing::Contains(v1::DATA_TYPE_UINT2));
  EXPECT_THAT(EntryOf(info, "Dequantize", v1::NUMERICS_ONNX, v1::PARAMETER_KIND_AFFINE_BLOCKS)
                  .input_types(),
              testing::Contains(v1::DATA_TYPE_INT32));
  EXPECT_THAT(
      EntryOf(info, "FakeQuantize", v1::NUMERICS_PYTORCH, v1::PARAMETER_KIND_AFFINE).input_types(),
      testing::Contains(v1::DATA_TYPE_FLOAT64));
  // Both kinds of parameters, with other types.
  EXPECT_THAT(
      EntryOf(info, "Quantize", v1::NUMERICS_LITERT, v1::PARAMETER_KIND_RANGE).output_types(),
      testing::Contains(v1::DATA_TYPE_UINT16));
  EXPECT_THAT(
      EntryOf(info, "Quantize", v1::NUMERICS_LITERT, v1::PARAMETER_KIND_AFFINE).output_types(),
      ElementsAre(v1::DATA_TYPE_INT8, v1::DATA_TYPE_UINT8, v1::DATA_TYPE_INT16));
  EXPECT_EQ(
      EntryOf(info, "FakeQuantizeGradient", v1::NUMERICS_ONNX, v1::PARAMETER_KIND_AFFINE).method(),
      "");
}

TEST(DescribeServer, ListsVersionInstructionSetsTypesAndLimits) {
  const v1::GetServerInfoResponse info =
      DescribeServer({.max_message_bytes = 1000, .max_in_flight_bytes = 2000, .worker_threads = 3});
  EXPECT_EQ(info.version(), std::string(kVersion));
  EXPECT_EQ(info.simd_target(), core::ActiveSimdTarget());
  EXPECT_THAT(info.supported_simd_targets(), Not(IsEmpty()));
  EXPECT_EQ(info.data_types_size(), v1::DataType_descriptor()->value_count() - 1);
  EXPECT_EQ(info.data_types(0), v1::DATA_TYPE_FLOAT32);
  EXPECT_EQ(info.max_message_bytes(), 1000U);
  EXPECT_EQ(info.max_in_flight_bytes(), 2000U);
  EXPECT_EQ(info.worker_threads(), 3U);
  EXPECT_THAT(info.shared_memory_socket(), IsEmpty());
}

}  // namespace
}  // namespace quantd::server
