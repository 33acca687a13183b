#include "server/settings/default_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace quantd::server {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

MachineResources Container(std::uint64_t memory_bytes) {
  return {.processors = 2,
          .processors_from = "the cgroup's cpu.max",
          .memory_bytes = memory_bytes,
          .memory_from = "the cgroup's memory.max",
          .is_memory_enforced = true};
}

GivenValues Given(std::string_view name) {
  return {{std::string(name), {.values = {}, .source = "a flag"}}};
}

TEST(ChooseLimits, TakesWhatTheMemoryLimitLeaves) {
  struct Case {
    std::uint64_t memory;
    std::uint64_t in_flight;
    std::uint64_t message;
  };
  for (const Case& expected :
       {Case{0, 1024 * kMiB, 256 * kMiB}, Case{8192 * kMiB, 1024 * kMiB, 256 * kMiB},
        Case{1024 * kMiB, 810 * kMiB, 256 * kMiB}, Case{512 * kMiB, 298 * kMiB, 256 * kMiB},
        Case{256 * kMiB, 42 * kMiB, 42 * kMiB}, Case{230 * kMiB, 16 * kMiB, 16 * kMiB},
        Case{1, 16 * kMiB, 16 * kMiB}}) {
    Options options;
    ChooseLimits({}, Container(expected.memory), options);
    EXPECT_EQ(options.memory_limit, expected.memory);
    EXPECT_EQ(options.max_in_flight_bytes, expected.in_flight) << expected.memory;
    EXPECT_EQ(options.max_message_bytes, expected.message) << expected.memory;
  }
}

TEST(ChooseLimits, SaysWhereTheyComeFrom) {
  Options options;
  const LimitSources small = ChooseLimits({}, Container(256 * kMiB), options).sources;
  EXPECT_EQ(options.worker_threads, 2U);
  EXPECT_EQ(small.worker_threads, "the cgroup's cpu.max");
  EXPECT_EQ(small.memory_limit, "the cgroup's memory.max");
  EXPECT_EQ(small.max_in_flight_bytes, "the cgroup's memory.max");
  EXPECT_EQ(small.max_message_bytes, "the cgroup's memory.max");
  const LimitSources large = ChooseLimits({}, Container(9999 * kMiB), options).sources;
  EXPECT_EQ(large.max_in_flight_bytes, "the default");
  EXPECT_EQ(large.max_message_bytes, "the default");
}

TEST(ChooseLimits, KeepsWhatIsGiven) {
  Options options;
  options.worker_threads = 7;
  EXPECT_EQ(ChooseLimits(Given(kWorkerThreadsName), Container(0), options).sources.worker_threads,
            "a flag");
  EXPECT_EQ(options.worker_threads, 7U);

  options.memory_limit = 512 * kMiB;
  EXPECT_EQ(
      ChooseLimits(Given(kMemoryLimitName), Container(0), options).sources.max_in_flight_bytes,
      "a flag");
  EXPECT_EQ(options.max_in_flight_bytes, 298 * kMiB);

  options.max_in_flight_bytes = 100 * kMiB;
  ChooseLimits(Given(kMaxInFlightBytesName), Container(0), options);
  EXPECT_EQ(options.max_in_flight_bytes, 100 * kMiB);
  EXPECT_EQ(options.max_message_bytes, 100 * kMiB);
}

TEST(ChooseLimits, MakesRoomForTheLargestMessageThatIsGiven) {
  Options options;
  options.max_message_bytes = 256 * kMiB;
  const LimitChoice choice =
      ChooseLimits(Given(kMaxMessageBytesName), Container(256 * kMiB), options);
  EXPECT_EQ(options.max_in_flight_bytes, 256 * kMiB);
  EXPECT_EQ(choice.sources.max_in_flight_bytes, "a flag");
  EXPECT_THAT(choice.warnings, ElementsAre(HasSubstr("256MiB")));
}

TEST(ChooseLimits, WarnsOfMoreInFlightThanTheMemoryLimitAllows) {
  Options options;
  options.max_in_flight_bytes = 362 * kMiB;
  EXPECT_THAT(ChooseLimits(Given(kMaxInFlightBytesName), Container(512 * kMiB), options).warnings,
              IsEmpty());
  options.max_in_flight_bytes += 1;
  EXPECT_THAT(ChooseLimits(Given(kMaxInFlightBytesName), Container(512 * kMiB), options).warnings,
              ElementsAre(AllOf(HasSubstr("512MiB, from the cgroup's memory.max"),
                                HasSubstr("expected at most 362MiB in flight"))));
  EXPECT_THAT(ChooseLimits({}, Container(128 * kMiB), options).warnings,
              ElementsAre(HasSubstr("raise the memory limit")));
}

TEST(ChooseLimits, DoesNotWarnOfAMachineThatIsMerelySmall) {
  MachineResources machine = Container(512 * kMiB);
  machine.is_memory_enforced = false;
  Options options;
  EXPECT_THAT(ChooseLimits(Given(kMaxInFlightBytesName), machine, options).warnings, IsEmpty());
  // A limit that somebody wrote down is one.
  options.memory_limit = 512 * kMiB;
  EXPECT_THAT(
      ChooseLimits({{std::string(kMaxInFlightBytesName), {}}, {std::string(kMemoryLimitName), {}}},
                   machine, options)
          .warnings,
      testing::SizeIs(1));
}

}  // namespace
}  // namespace quantd::server
