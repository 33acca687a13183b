#include "client/library/atomic_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "tests/client/temporary_folder.h"

namespace quantd::client {
namespace {

absl::Status Write(const std::filesystem::path& path, std::string_view text = "new") {
  return WriteFileAtomically(path, {std::as_bytes(std::span(text))});
}

unsigned PermissionsOf(const std::filesystem::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mode & 07777U;
}

class AtomicFileTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_ / "file";
  const std::filesystem::path link_ = folder_ / "link";
};

TEST_F(AtomicFileTest, KeepsThePermissionsOfAFile) {
  for (const unsigned permissions : {0600U, 0640U, 0666U, 0755U, 0400U}) {
    WriteBytes(file_, "old");
    ASSERT_EQ(::chmod(file_.c_str(), permissions), 0);
    ASSERT_TRUE(Write(file_).ok());
    EXPECT_EQ(ReadBytes(file_), "new");
    EXPECT_EQ(PermissionsOf(file_), permissions);
    std::filesystem::remove(file_);
  }
}

TEST_F(AtomicFileTest, GivesNewFilesThePermissionsThatTheUmaskAllows) {
  for (const unsigned mask : {022U, 077U, 0U}) {
    const mode_t before = ::umask(mask);
    ASSERT_TRUE(Write(file_).ok());
    ::umask(before);
    EXPECT_EQ(PermissionsOf(file_), 0666U & ~mask);
    std::filesystem::remove(file_);
  }
}

TEST_F(AtomicFileTest, WritesThroughLinks) {
  std::filesystem::create_directory(folder_ / "other");
  std::filesystem::create_symlink("other/middle", link_);
  std::filesystem::create_symlink("../file", folder_ / "other" / "middle");
  // The file does not exist yet, and then it does.
  for (const std::string text : {"first", "second"}) {
    ASSERT_TRUE(Write(link_, text).ok());
    EXPECT_TRUE(std::filesystem::is_symlink(link_));
    EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "other" / "middle"));
    EXPECT_FALSE(std::filesystem::is_symlink(file_));
    EXPECT_EQ(ReadBytes(file_), text);
  }
  EXPECT_EQ(folder_.FileCount(), 3U);
}

TEST_F(AtomicFileTest, RefusesLinksInACircle) {
  std::filesystem::create_symlink("link", link_);
  EXPECT_FALSE(Write(link_).ok());
  EXPECT_FALSE(CheckCanBeWritten(link_).ok());
  EXPECT_TRUE(std::filesystem::is_symlink(link_));
}

TEST_F(AtomicFileTest, WritesToTheFileOfADescriptorInsteadOfReplacingIt) {
  WriteBytes(file_, "before ");
  const int descriptor = ::open(file_.c_str(), O_WRONLY | O_APPEND);
  ASSERT_GE(descriptor, 0);
  const std::string number = std::to_string(descriptor);
  std::filesystem::create_symlink("/dev/fd/" + number, link_);
  ASSERT_TRUE(Write("/dev/fd/" + number, "one ").ok());
  ASSERT_TRUE(Write("/proc/self/fd/" + number, "two ").ok());
  ASSERT_TRUE(Write(link_, "three").ok());
  EXPECT_EQ(ReadBytes(file_), "before one two three");
  struct stat open {};
  struct stat named {};
  ASSERT_EQ(::fstat(descriptor, &open), 0);
  ASSERT_EQ(::stat(file_.c_str(), &named), 0);
  EXPECT_EQ(open.st_ino, named.st_ino);
  ::close(descriptor);
  EXPECT_FALSE(Write("/dev/fd/" + number).ok());
}

TEST_F(AtomicFileTest, SaysBeforehandWhetherItCanWrite) {
  EXPECT_TRUE(CheckCanBeWritten(file_).ok());
  EXPECT_FALSE(std::filesystem::exists(file_));
  WriteBytes(file_, "old");
  EXPECT_TRUE(CheckCanBeWritten(file_).ok());
  EXPECT_EQ(ReadBytes(file_), "old");
  EXPECT_EQ(folder_.FileCount(), 1U);
  EXPECT_TRUE(CheckCanBeWritten("/dev/null").ok());
  EXPECT_TRUE(CheckCanBeWritten("/dev/stdout").ok());

  EXPECT_TRUE(absl::IsInvalidArgument(CheckCanBeWritten(folder_.path())));
  EXPECT_TRUE(absl::IsNotFound(CheckCanBeWritten(folder_ / "no/file")));
  EXPECT_FALSE(CheckCanBeWritten("/proc/file").ok());
  EXPECT_FALSE(CheckCanBeWritten("/dev/fd/9999").ok());
}

}  // namespace
}  // namespace quantd::client
