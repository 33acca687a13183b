#include "client/library/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <bit>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "client/library/npy_header.h"
#include "tests/client/temporary_folder.h"

namespace quantd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<std::int64_t> kShape = {2, 3};
const std::vector<float> kValues = {-1.5F,
                                    0,
                                    -0.0F,
                                    std::numeric_limits<float>::denorm_min(),
                                    -std::numeric_limits<float>::infinity(),
                                    3};

std::vector<std::uint32_t> BitsOf(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits;
  bits.reserve(values.size());
  for (const float value : values) {
    bits.push_back(std::bit_cast<std::uint32_t>(value));
  }
  return bits;
}

class NpyTest : public ::testing::Test {
 protected:
  // Writes `bytes` to the test's file and returns its path.
  std::filesystem::path FileWith(const std::string& bytes) {
    WriteBytes(path_, bytes);
    return path_;
  }

  std::string WholeFile() {
    const std::filesystem::path path = folder_ / "whole.npy";
    EXPECT_TRUE(WriteNpy(path, kShape, kValues).ok());
    return ReadBytes(path);
  }

  // Runs a Python program that has the paths of the folder's files as variables.
  void RunPython(const std::string& program) {
    WriteBytes(folder_ / "program.py",
               "import numpy as np\nfolder = '" + folder_.path().string() + "/'\n" + program);
    const std::string command = QUANTD_PYTHON " " + (folder_ / "program.py").string();
    ASSERT_EQ(std::system(command.c_str()), 0) << program;  // NOLINT(concurrency-mt-unsafe)
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "x.npy";
};

TEST_F(NpyTest, RoundTripsEveryBit) {
  std::vector<float> values = kValues;
  values[0] = std::bit_cast<float>(0x7F800001U);  // A signalling NaN.
  ASSERT_TRUE(WriteNpy(path_, kShape, values).ok());
  const auto array = ReadNpy(path_);
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(array->shape, kShape);
  EXPECT_EQ(BitsOf(array->values), BitsOf(values));
}

TEST_F(NpyTest, WritesTheSameBytesAsNumpy) {
  const std::vector<std::vector<std::int64_t>> shapes = {
      {}, {0}, {6}, {2, 3}, {0, 5}, {1, 1, 6}, {123456789, 0}, std::vector<std::int64_t>(32, 1)};
  for (const std::vector<std::int64_t>& shape : shapes) {
    std::string tuple;
    std::int64_t count = 1;
    for (const std::int64_t size : shape) {
      tuple += std::to_string(size) + ",";
      count *= size;
    }
    RunPython("np.save(folder + 'numpy.npy', np.arange(" + std::to_string(count) +
              ", dtype=np.float32).reshape(tuple([" + tuple + "])))\n");
    std::vector<float> values;
    for (std::int64_t i = 0; i < count; ++i) {
      values.push_back(static_cast<float>(i));
    }
    ASSERT_TRUE(WriteNpy(path_, shape, values).ok());
    EXPECT_EQ(ReadBytes(path_), ReadBytes(folder_ / "numpy.npy")) << tuple;
  }
}

TEST_F(NpyTest, NumpyCanReadItsFiles) {
  ASSERT_TRUE(WriteNpy(path_, kShape, kValues).ok());
  RunPython(
      "x = np.load(folder + 'x.npy')\n"
      "assert x.dtype == np.float32 and x.shape == (2, 3), x\n"
      "assert x[0, 0] == -1.5 and np.signbit(x[0, 2]) and x[1, 1] == -np.inf and x[1, 2] == 3, "
      "x\n");
}

TEST_F(NpyTest, ReadsEveryVersionThatNumpyWrites) {
  for (const std::string version : {"(1, 0)", "(2, 0)", "(3, 0)"}) {
    RunPython(
        "with open(folder + 'x.npy', 'wb') as f:\n"
        "  np.lib.format.write_array(f, np.arange(6, dtype=np.float32).reshape(2, 3), " +
        version + ")\n");
    const auto array = ReadNpy(path_);
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_EQ(array->shape, kShape);
    EXPECT_THAT(array->values, ElementsAre(0, 1, 2, 3, 4, 5));
  }
}

TEST_F(NpyTest, RejectsNumpyArraysInFortranOrderOrOfOtherTypes) {
  for (const std::string array :
       {"np.asfortranarray(np.ones((2, 3), np.float32))", "np.ones(3, '>f4')", "np.ones(3)",
        "np.ones(3, np.float16)", "np.array([object()])", "np.ones(3, [('a', 'f4')])"}) {
    RunPython("np.save(folder + 'x.npy', " + array + ", allow_pickle=True)\n");
    const auto read = ReadNpy(path_);
    EXPECT_TRUE(absl::IsInvalidArgument(read.status())) << array;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr("np.save(")) << array;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(path_.string())) << array;
  }
}

TEST_F(NpyTest, RejectsEveryTruncationAndTrailingData) {
  const std::string whole = WholeFile();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_TRUE(absl::IsInvalidArgument(ReadNpy(FileWith(whole.substr(0, size))).status())) << size;
  }
  EXPECT_THAT(std::string(ReadNpy(FileWith(whole.substr(0, 151))).status().message()),
              HasSubstr("has 151 bytes; expected 152"));
  EXPECT_THAT(std::string(ReadNpy(FileWith(whole + "x")).status().message()),
              HasSubstr("has trailing data"));
}

TEST_F(NpyTest, DoesNotAllocateWhatAHostileHeaderClaims) {
  // 2^57 elements are more than any machine can hold, but do not overflow the size.
  const std::string header = FormatNpyHeader(std::vector{std::int64_t{1} << 57});
  EXPECT_TRUE(absl::IsInvalidArgument(ReadNpy(FileWith(header + "abcd")).status()));
}

TEST_F(NpyTest, SurvivesEveryMutationOfEveryHeaderByteInAFile) {
  const std::string whole = WholeFile();
  for (std::size_t position = 0; position < 128; ++position) {
    for (const char value : {'\0', '\x01', ' ', '(', '0', '9', '}', '\xFF'}) {
      std::string mutated = whole;
      mutated[position] = value;
      const auto array = ReadNpy(FileWith(mutated));
      if (array.ok()) {
        EXPECT_EQ(array->values.size(), kValues.size());
      } else {
        EXPECT_TRUE(absl::IsInvalidArgument(array.status())) << array.status();
      }
    }
  }
}

TEST_F(NpyTest, ErrorsNameMissingAndIrregularFiles) {
  const auto missing = ReadNpy(folder_ / "missing.npy");
  EXPECT_TRUE(absl::IsNotFound(missing.status())) << missing.status();
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("missing.npy"));
  EXPECT_TRUE(absl::IsInvalidArgument(ReadNpy(folder_.path()).status()));
  const std::filesystem::path pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_TRUE(absl::IsInvalidArgument(ReadNpy(pipe).status()));
}

TEST_F(NpyTest, RejectsValuesThatDoNotMatchTheShape) {
  EXPECT_TRUE(absl::IsInvalidArgument(WriteNpy(path_, std::vector<std::int64_t>{5}, kValues)));
  EXPECT_TRUE(absl::IsInvalidArgument(WriteNpy(path_, std::vector<std::int64_t>{-6}, kValues)));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(NpyTest, AFailedWriteKeepsTheOldFileAndLeavesNothingElse) {
  WriteBytes(path_, "old");
  // No file may grow beyond 100 bytes, so the write fails halfway.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 100, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status status = WriteNpy(path_, kShape, kValues);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);

  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot write the file"));
  EXPECT_EQ(ReadBytes(path_), "old");
  EXPECT_EQ(folder_.FileCount(), 1U);
}

TEST_F(NpyTest, ReplacesAFileThroughALinkAndLeavesNothingElse) {
  WriteBytes(folder_ / "target.npy", "old");
  std::filesystem::create_symlink("target.npy", path_);
  ASSERT_TRUE(WriteNpy(path_, kShape, kValues).ok());
  EXPECT_TRUE(std::filesystem::is_symlink(path_));
  EXPECT_TRUE(ReadNpy(folder_ / "target.npy").ok());
  EXPECT_EQ(folder_.FileCount(), 2U);
}

TEST_F(NpyTest, WritesToDevicesInsteadOfReplacingThem) {
  EXPECT_TRUE(WriteNpy("/dev/null", kShape, kValues).ok());
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST_F(NpyTest, WriteErrorsNameThePath) {
  const absl::Status status = WriteNpy(folder_ / "no" / "folder.npy", kShape, kValues);
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("folder.npy"));
  EXPECT_FALSE(WriteNpy(folder_.path(), kShape, kValues).ok());
}

TEST_F(NpyTest, NewFilesHaveThePermissionsThatTheUmaskAllows) {
  const mode_t umask_before = ::umask(022);
  ASSERT_TRUE(WriteNpy(path_, kShape, kValues).ok());
  ::umask(umask_before);
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0644U);
}

}  // namespace
}  // namespace quantd::client
