#include "server/settings/machine_resources.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "server/settings/option_values.h"

namespace quantd::server {
namespace {

// The files of a machine with 16 GiB, in a folder that is removed after the test.
class MachineResourcesTest : public testing::Test {
 protected:
  MachineResourcesTest()
      : root_(std::filesystem::path(testing::TempDir()) /
              (std::string("quantd_machine_") +
               testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(root_);
    Write("proc/meminfo", "MemTotal:       16777216 kB\nMemFree:        1 kB\n");
  }
  ~MachineResourcesTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  // The process is in the cgroup `own` of version 2, of which `mounted` is at
  // /sys/fs/cgroup.
  void MountVersion2(const std::string& own, const std::string& mounted = "/") {
    Write("proc/self/cgroup", "0::" + own + "\n");
    Write("proc/self/mountinfo",
          "22 1 0:20 / /proc rw,nosuid - proc proc rw\n"
          "30 23 0:26 " +
              mounted + " /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
  }

  // The same for version 1, with a mount for each controller.
  void MountVersion1(const std::string& own, const std::string& mounted = "/") {
    Write("proc/self/cgroup",
          "4:memory:" + own + "\n3:cpuset:/\n2:cpu,cpuacct:" + own + "\n0::/\n");
    Write("proc/self/mountinfo",
          "31 30 0:28 " + mounted +
              " /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
              "32 30 0:29 " +
              mounted +
              " /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
              "33 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  }

  MachineResources Read(std::size_t processors = 8) const {
    return ReadMachineResources(root_, processors);
  }

  std::filesystem::path root_;
};

TEST_F(MachineResourcesTest, AreTheMachinesWithoutCgroups) {
  const MachineResources resources = Read();
  EXPECT_EQ(resources.processors, 8U);
  EXPECT_EQ(FormatByteSize(resources.memory_bytes), "16GiB");
  EXPECT_EQ(resources.memory_from, "the machine's memory");
  EXPECT_FALSE(resources.is_memory_enforced);
}

TEST_F(MachineResourcesTest, AreUnknownWithoutAnyFile) {
  std::filesystem::remove_all(root_);
  EXPECT_EQ(Read().processors, 8U);
  EXPECT_EQ(Read().memory_bytes, 0U);
}

TEST_F(MachineResourcesTest, FollowTheOwnCgroup) {
  MountVersion2("/system.slice/quantd.service");
  Write("sys/fs/cgroup/system.slice/quantd.service/cpu.max", "300000 100000\n");
  Write("sys/fs/cgroup/system.slice/quantd.service/memory.max", "536870912\n");
  const MachineResources resources = Read();
  EXPECT_EQ(resources.processors, 3U);
  EXPECT_EQ(resources.processors_from, "the cgroup's cpu.max");
  EXPECT_EQ(FormatByteSize(resources.memory_bytes), "512MiB");
  EXPECT_EQ(resources.memory_from, "the cgroup's memory.max");
  EXPECT_TRUE(resources.is_memory_enforced);
}

TEST_F(MachineResourcesTest, FollowTheTightestAncestor) {
  MountVersion2("/a/b/c");
  Write("sys/fs/cgroup/a/cpu.max", "200000 100000\n");
  Write("sys/fs/cgroup/a/memory.max", "max\n");
  Write("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  Write("sys/fs/cgroup/a/b/memory.max", "268435456\n");
  Write("sys/fs/cgroup/a/b/c/cpu.max", "400000 100000\n");
  Write("sys/fs/cgroup/a/b/c/memory.max", "536870912\n");
  // A sibling's limit is not ours.
  Write("sys/fs/cgroup/a/other/cpu.max", "100000 100000\n");
  EXPECT_EQ(Read().processors, 2U);
  EXPECT_EQ(FormatByteSize(Read().memory_bytes), "256MiB");
}

TEST_F(MachineResourcesTest, RoundPartsOfAProcessorUp) {
  MountVersion2("/");
  for (const auto& [text, processors] :
       {std::pair("1000 100000\n", 1U), std::pair("100000 100000\n", 1U),
        std::pair("100001 100000\n", 2U), std::pair("150000 100000\n", 2U),
        std::pair("900000 100000\n", 8U), std::pair("max 100000\n", 8U), std::pair("0 0\n", 8U),
        std::pair("many\n", 8U), std::pair("", 8U)}) {
    Write("sys/fs/cgroup/cpu.max", text);
    EXPECT_EQ(Read().processors, processors) << text;
  }
}

TEST_F(MachineResourcesTest, FollowVersion1) {
  MountVersion1("/docker/0a1b");
  Write("sys/fs/cgroup/cpu,cpuacct/docker/0a1b/cpu.cfs_quota_us", "250000\n");
  Write("sys/fs/cgroup/cpu,cpuacct/docker/0a1b/cpu.cfs_period_us", "100000\n");
  Write("sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "536870912\n");
  Write("sys/fs/cgroup/memory/docker/0a1b/memory.limit_in_bytes", "9223372036854771712\n");
  const MachineResources resources = Read();
  EXPECT_EQ(resources.processors, 3U);
  EXPECT_EQ(resources.processors_from, "the cgroup's cpu.cfs_quota_us");
  EXPECT_EQ(FormatByteSize(resources.memory_bytes), "512MiB");
  EXPECT_EQ(resources.memory_from, "the cgroup's memory.limit_in_bytes");
}

TEST_F(MachineResourcesTest, HaveNoLimitInVersion1ByTheNumbersThatStandForNone) {
  MountVersion1("/");
  Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(Read().processors, 8U);
  EXPECT_EQ(FormatByteSize(Read().memory_bytes), "16GiB");
  EXPECT_FALSE(Read().is_memory_enforced);
  std::filesystem::remove(root_ / "proc/meminfo");
  EXPECT_EQ(Read().memory_bytes, 0U);
}

TEST_F(MachineResourcesTest, FollowTheOwnCgroupOfAContainerThatSeesThePathOnTheHost) {
  MountVersion1("/kubepods/pod1/container", "/kubepods/pod1/container");
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n");
  EXPECT_EQ(FormatByteSize(Read().memory_bytes), "512MiB");
}

TEST_F(MachineResourcesTest, FollowTheCgroupThatIsMountedIfTheOwnOneIsNotBelowIt) {
  MountVersion2("/../../elsewhere");
  Write("sys/fs/cgroup/memory.max", "536870912\n");
  for (const char* outside : {"elsewhere", "sys/elsewhere", "sys/fs/elsewhere"}) {
    Write(std::string(outside) + "/memory.max", "1\n");
  }
  EXPECT_EQ(FormatByteSize(Read().memory_bytes), "512MiB");
}

TEST_F(MachineResourcesTest, AreTheMachinesIfTheLimitIsAboveThem) {
  MountVersion2("/");
  Write("sys/fs/cgroup/memory.max", "34359738368\n");
  EXPECT_EQ(FormatByteSize(Read().memory_bytes), "16GiB");
  EXPECT_FALSE(Read().is_memory_enforced);
}

TEST(AvailableProcessors, AreAtLeastOne) { EXPECT_GE(AvailableProcessors(), 1U); }

}  // namespace
}  // namespace quantd::server
