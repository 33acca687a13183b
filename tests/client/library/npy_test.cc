#include "client/library/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <numeric>
#include <sstream>
#include <thread>

#include "client/library/npy_header.h"
#include "tests/client/temporary_folder.h"

namespace quantd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::vector<std::int64_t> kShape = {2, 3};
const std::vector<float> kValues = {-1.5F,
                                    0,
                                    -0.0F,
                                    std::numeric_limits<float>::denorm_min(),
                                    -std::numeric_limits<float>::infinity(),
                                    3};

std::vector<std::uint32_t> BitsOf(std::span<const float> values) {
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

  // Reads an array from a named pipe, to which a thread writes `bytes`.
  absl::StatusOr<NpyArray> ReadThroughPipe(const std::string& bytes) {
    const std::filesystem::path pipe = folder_ / "pipe";
    EXPECT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    // Who reads too little ends the pipe early.
    std::signal(SIGPIPE, SIG_IGN);
    std::jthread writer([&] {
      std::ofstream file(pipe, std::ios::binary);
      file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    });
    auto array = ReadNpy(pipe);
    writer.join();
    std::filesystem::remove(pipe);
    return array;
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
  EXPECT_EQ(BitsOf(array->elements.values<float>()), BitsOf(values));
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
    EXPECT_THAT(array->elements.values<float>(), ElementsAre(0, 1, 2, 3, 4, 5));
  }
}

TEST_F(NpyTest, ReadsNumpyArraysInFortranOrderAndOfEveryByteOrder) {
  // The array as numpy has it in memory, and its elements in C order.
  struct Array {
    std::string numpy;
    std::vector<std::int64_t> shape;
    std::vector<float> values;
  };
  for (const Array& array :
       std::vector<Array>{{"np.asfortranarray(np.arange(6, dtype='f4').reshape(2, 3))",
                           {2, 3},
                           {0, 1, 2, 3, 4, 5}},
                          {"np.asfortranarray(np.arange(8, dtype='>f8').reshape(2, 2, 2))",
                           {2, 2, 2},
                           {0, 1, 2, 3, 4, 5, 6, 7}},
                          {"np.arange(6, dtype='f2').reshape(3, 2).T", {2, 3}, {0, 2, 4, 1, 3, 5}},
                          {"np.arange(3, dtype='>f4')", {3}, {0, 1, 2}},
                          {"np.arange(3, dtype='>f2')", {3}, {0, 1, 2}},
                          {"np.arange(3, dtype='=f4')", {3}, {0, 1, 2}}}) {
    SCOPED_TRACE(array.numpy);
    RunPython("np.save(folder + 'x.npy', " + array.numpy + ")\n");
    const auto read = ReadNpy(path_);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->shape, array.shape);
    EXPECT_EQ(ToFloats(read->elements), array.values);
  }
  RunPython(
      "np.savez(folder + 'x.npz', np.asfortranarray(np.array([[1, -2], [300, 4]], '>i4')))\n");
  EXPECT_THAT(ToCodes(ReadNpy(folder_ / "x.npz")->elements), ElementsAre(1, -2, 300, 4));
}

TEST_F(NpyTest, RejectsNumpyArraysOfOtherTypes) {
  for (const std::string array : {"np.ones(3, int)", "np.ones(3, bool)", "np.array([object()])",
                                  "np.ones(3, [('a', 'f4')])"}) {
    RunPython("np.save(folder + 'x.npy', " + array + ", allow_pickle=True)\n");
    const auto read = ReadNpy(path_);
    EXPECT_TRUE(absl::IsInvalidArgument(read.status())) << array;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr("np.save(")) << array;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(path_.string())) << array;
  }
}

TEST_F(NpyTest, ReadsAndWritesTheBytesOfEveryTypeThatNumpyHas) {
  struct Type {
    core::ElementType type;
    std::string name;
  };
  for (const auto& [type, name] :
       {Type{core::ElementType::kFloat32, "float32"}, Type{core::ElementType::kFloat16, "float16"},
        Type{core::ElementType::kFloat64, "float64"}, Type{core::ElementType::kInt8, "int8"},
        Type{core::ElementType::kUint8, "uint8"}, Type{core::ElementType::kInt16, "int16"},
        Type{core::ElementType::kUint16, "uint16"}, Type{core::ElementType::kInt32, "int32"}}) {
    SCOPED_TRACE(name);
    RunPython("np.save(folder + 'numpy.npy', np.array([[3, 2, 1], [0, 7, 100]], np." + name +
              "))\n");
    const auto array = ReadNpy(folder_ / "numpy.npy");
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_EQ(array->elements.type(), type);
    EXPECT_EQ(array->shape, kShape);
    if (core::RowOf(type).is_code) {
      EXPECT_THAT(ToCodes(array->elements), ElementsAre(3, 2, 1, 0, 7, 100));
    } else {
      EXPECT_THAT(ToFloats(array->elements), ElementsAre(3, 2, 1, 0, 7, 100));
    }
    ASSERT_TRUE(WriteNpy(path_, array->shape, array->elements).ok());
    EXPECT_EQ(ReadBytes(path_), ReadBytes(folder_ / "numpy.npy"));
  }
}

TEST_F(NpyTest, WritesBfloat16AsMlDtypesOrAsUint16) {
  const Elements elements = FromFloats(std::vector<float>{1, -2}, core::ElementType::kBFloat16);
  const std::vector<std::int64_t> shape = {2};
  ASSERT_TRUE(WriteNpy(path_, shape, elements).ok());
  RunPython(
      "x = np.load(folder + 'x.npy')\n"
      "assert x.dtype.str == '|V2' and list(x.view(np.uint16)) == [0x3F80, 0xC000], x\n");
  EXPECT_EQ(ReadNpy(path_)->elements.type(), core::ElementType::kBFloat16);

  ASSERT_TRUE(WriteNpy(path_, shape, elements, {.bfloat16_as_uint16 = true}).ok());
  RunPython(
      "x = np.load(folder + 'x.npy')\n"
      "assert x.dtype == np.uint16 and list(x) == [0x3F80, 0xC000], x\n");
  const auto again = Interpret(*ReadNpy(path_), {.type = core::ElementType::kBFloat16}, path_);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT(ToFloats(again->elements), ElementsAre(1, -2));
}

// Codes of every type of 4 and 2 bits, three of them, and their packed bytes.
struct SmallCodes {
  core::ElementType type;
  std::vector<std::int32_t> codes;
  std::vector<std::uint8_t> packed;
  std::string numpy;
};

std::vector<SmallCodes> AllSmallCodes() {
  return {{core::ElementType::kInt4, {-8, 7, -1}, {0x78, 0x0F}, "int8"},
          {core::ElementType::kUint4, {1, 15, 2}, {0xF1, 0x02}, "uint8"},
          {core::ElementType::kInt2, {-2, 1, -1}, {0x36}, "int8"},
          {core::ElementType::kUint2, {1, 3, 2}, {0x2D}, "uint8"}};
}

TEST_F(NpyTest, StoresCodesOfLessThanAByteAsOnePerElement) {
  for (const SmallCodes& small : AllSmallCodes()) {
    SCOPED_TRACE(core::RowOf(small.type).name);
    ASSERT_TRUE(
        WriteNpy(path_, std::vector<std::int64_t>{1, 3}, FromCodes(small.codes, small.type)).ok());
    RunPython("x = np.load(folder + 'x.npy')\nassert x.dtype == np." + small.numpy +
              " and x.shape == (1, 3), x\n");
    EXPECT_EQ(ToCodes(ReadNpy(path_)->elements), small.codes);
    const auto again = Interpret(*ReadNpy(path_), {.type = small.type}, path_);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->elements.type(), small.type);
    EXPECT_THAT(again->shape, ElementsAre(1, 3));
    EXPECT_EQ(ToCodes(again->elements), small.codes);
  }
}

TEST_F(NpyTest, StoresPackedCodesAsBytesOfOneDimension) {
  for (const SmallCodes& small : AllSmallCodes()) {
    SCOPED_TRACE(core::RowOf(small.type).name);
    ASSERT_TRUE(WriteNpy(path_, std::vector<std::int64_t>{1, 3}, FromCodes(small.codes, small.type),
                         {.packed = true})
                    .ok());
    const auto bytes = ReadNpy(path_);
    EXPECT_THAT(bytes->elements.values<std::uint8_t>(), ElementsAreArray(small.packed));
    EXPECT_THAT(bytes->shape, ElementsAre(small.packed.size()));
    const std::vector<std::int64_t> shape = {3, 1};
    const auto again =
        Interpret(*bytes, {.type = small.type, .packed = true, .shape = shape}, path_);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->shape, shape);
    EXPECT_EQ(ToCodes(again->elements), small.codes);
    // Without a shape, the unused places of the last byte count as codes.
    const auto all = Interpret(*bytes, {.type = small.type, .packed = true}, path_);
    EXPECT_THAT(all->shape, ElementsAre(4));
  }
}

TEST_F(NpyTest, RefusesMeaningsThatAnArrayDoesNotHave) {
  const auto error = [&](const Elements& elements, const NpyMeaning& meaning) {
    const auto array =
        Interpret({.shape = {static_cast<std::int64_t>(elements.size())}, .elements = elements},
                  meaning, path_);
    EXPECT_TRUE(absl::IsInvalidArgument(array.status())) << array.status();
    EXPECT_THAT(std::string(array.status().message()), HasSubstr(path_.string()));
    return std::string(array.status().message());
  };
  const std::vector<std::int32_t> codes = {0, 7, 8};
  EXPECT_THAT(error(FromCodes(codes, core::ElementType::kInt8), {.type = core::ElementType::kInt4}),
              HasSubstr("element 2 (in C order) is 8; expected -8 to 7, the codes of int4"));
  EXPECT_THAT(
      error(FromCodes(codes, core::ElementType::kInt8), {.type = core::ElementType::kBFloat16}),
      HasSubstr("elements of type int8; expected bfloat16"));
  EXPECT_THAT(error(FromCodes(codes, core::ElementType::kInt16),
                    {.type = core::ElementType::kUint4, .packed = true}),
              HasSubstr("elements of type int16; expected uint8, which holds uint4"));
  EXPECT_THAT(
      error(FromCodes(codes, core::ElementType::kUint8), {.type = core::ElementType::kUint4,
                                                          .packed = true,
                                                          .shape = std::vector<std::int64_t>{7}}),
      HasSubstr("has 3 bytes; expected 4 for the 7 packed codes of type uint4"));
  EXPECT_THAT(
      error(FromCodes(codes, core::ElementType::kUint8), {.type = core::ElementType::kUint4,
                                                          .packed = true,
                                                          .shape = std::vector<std::int64_t>{-6}}),
      HasSubstr("dimension 0 of the shape is -6"));
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
  const std::string header =
      FormatNpyHeader(core::ElementType::kFloat32, std::vector{std::int64_t{1} << 57});
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
        EXPECT_EQ(array->elements.size(), kValues.size());
      } else {
        EXPECT_TRUE(absl::IsInvalidArgument(array.status())) << array.status();
      }
    }
  }
}

TEST_F(NpyTest, ReadsAPipeToItsEnd) {
  // Larger than a pipe holds, and than the steps in which it is read.
  const std::vector<std::int64_t> shape = {1000, 1000};
  std::vector<float> values(1'000'000);
  std::iota(values.begin(), values.end(), 0.0F);
  ASSERT_TRUE(WriteNpy(folder_ / "large.npy", shape, values).ok());
  const std::string large = ReadBytes(folder_ / "large.npy");
  for (const std::string& bytes : {large, WholeFile()}) {
    const auto array = ReadThroughPipe(bytes);
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_EQ(array->shape, bytes == large ? shape : kShape);
    EXPECT_EQ(BitsOf(array->elements.values<float>()), BitsOf(bytes == large ? values : kValues));
  }
}

TEST_F(NpyTest, RejectsPipesThatEndTooEarlyOrTooLate) {
  const std::string whole = WholeFile();
  EXPECT_THAT(std::string(ReadThroughPipe(whole.substr(0, 151)).status().message()),
              HasSubstr("has 151 bytes; expected 152"));
  EXPECT_THAT(std::string(ReadThroughPipe(whole + "x").status().message()),
              HasSubstr("has at least 153 bytes; expected 152"));
  EXPECT_TRUE(absl::IsInvalidArgument(ReadThroughPipe("").status()));
  // Beyond what is read for the header.
  const std::string header =
      FormatNpyHeader(core::ElementType::kInt8, std::vector{std::int64_t{100'000}});
  EXPECT_TRUE(ReadThroughPipe(header + std::string(100'000, 'x')).ok());
  EXPECT_FALSE(ReadThroughPipe(header + std::string(100'001, 'x')).ok());
  EXPECT_FALSE(ReadThroughPipe(header + std::string(99'999, 'x')).ok());
  // More elements than any machine can hold.
  EXPECT_TRUE(absl::IsInvalidArgument(
      ReadThroughPipe(
          FormatNpyHeader(core::ElementType::kFloat32, std::vector{std::int64_t{1} << 57}) + "abcd")
          .status()));
  // Never ends.
  EXPECT_TRUE(absl::IsInvalidArgument(ReadNpy("/dev/zero").status()));
}

TEST_F(NpyTest, ReadsTheStandardInput) {
  const std::string whole = WholeFile();
  const int before = ::dup(STDIN_FILENO);
  for (const std::string name : {"-", "/dev/stdin"}) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    ASSERT_EQ(::write(ends[1], whole.data(), whole.size()), static_cast<ssize_t>(whole.size()));
    ::close(ends[1]);
    ::dup2(ends[0], STDIN_FILENO);
    ::close(ends[0]);
    const auto array = ReadNpy(name);
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_EQ(BitsOf(array->elements.values<float>()), BitsOf(kValues));
    EXPECT_THAT(std::string(ReadNpy(name).status().message()), StartsWith(name + ": "))
        << "there is no second array";
  }
  ::dup2(before, STDIN_FILENO);
  ::close(before);
}

TEST_F(NpyTest, WritesTheSameBytesToAStream) {
  std::ostringstream stream;
  ASSERT_TRUE(WriteNpy(stream, kShape, Elements::Of<float>(kValues)).ok());
  EXPECT_EQ(stream.str(), WholeFile());
  EXPECT_FALSE(WriteNpy(stream, std::vector<std::int64_t>{5}, Elements::Of<float>(kValues)).ok());
  stream.setstate(std::ios::badbit);
  EXPECT_TRUE(absl::IsDataLoss(WriteNpy(stream, kShape, Elements::Of<float>(kValues))));
}

TEST_F(NpyTest, ErrorsNameMissingFilesAndFolders) {
  const auto missing = ReadNpy(folder_ / "missing.npy");
  EXPECT_TRUE(absl::IsNotFound(missing.status())) << missing.status();
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("missing.npy"));
  EXPECT_TRUE(absl::IsInvalidArgument(ReadNpy(folder_.path()).status()));
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
