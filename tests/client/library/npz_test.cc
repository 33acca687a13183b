#include "client/library/npz.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "client/library/npy.h"
#include "tests/client/temporary_folder.h"

namespace quantd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class NpzTest : public ::testing::Test {
 protected:
  // Runs a Python program that has the path of the folder as a variable.
  void RunPython(const std::string& program) {
    WriteBytes(folder_ / "program.py",
               "import numpy as np\nfolder = '" + folder_.path().string() + "/'\n" + program);
    const std::string command = QUANTD_PYTHON " " + (folder_ / "program.py").string();
    ASSERT_EQ(std::system(command.c_str()), 0) << program;  // NOLINT(concurrency-mt-unsafe)
  }

  std::filesystem::path Named(const std::string& name) { return archive_.string() + ":" + name; }

  static std::string ErrorOf(const std::filesystem::path& path) {
    const auto array = ReadNpy(path);
    EXPECT_FALSE(array.ok());
    EXPECT_THAT(std::string(array.status().message()), HasSubstr(path.string()));
    return std::string(array.status().message());
  }

  // An archive of two arrays, as numpy writes it.
  void SaveTwo(const std::string& function = "savez") {
    RunPython("np." + function +
              "(folder + 'x.npz', codes=np.arange(6, dtype=np.int16).reshape(2, 3),"
              " zeros=np.zeros(100000, np.float32))\n");
  }

  TemporaryFolder folder_;
  std::filesystem::path archive_ = folder_ / "x.npz";
};

TEST(ParseNpzPath, SplitsArchiveAndName) {
  const auto named = ParseNpzPath("a.npz:b/x.npz:layer.1:weights");
  ASSERT_TRUE(named.has_value());
  EXPECT_EQ(named->archive, "a.npz:b/x.npz");
  EXPECT_EQ(named->name, "layer.1:weights");
  EXPECT_EQ(ParseNpzPath("x.npz")->name, "");
  for (const std::string other : {"x.npy", "x.npz.npy", "npz:x", ""}) {
    EXPECT_FALSE(ParseNpzPath(other).has_value()) << other;
  }
}

TEST_F(NpzTest, ReadsArraysThatNumpySavedWithAndWithoutCompression) {
  for (const std::string function : {"savez", "savez_compressed"}) {
    SCOPED_TRACE(function);
    SaveTwo(function);
    const auto codes = ReadNpy(Named("codes"));
    ASSERT_TRUE(codes.ok()) << codes.status();
    EXPECT_THAT(codes->shape, ElementsAre(2, 3));
    EXPECT_EQ(codes->elements.type(), core::ElementType::kInt16);
    EXPECT_THAT(ToCodes(codes->elements), ElementsAre(0, 1, 2, 3, 4, 5));
    const auto zeros = ReadNpy(Named("zeros"));
    ASSERT_TRUE(zeros.ok()) << zeros.status();
    EXPECT_EQ(zeros->elements.size(), 100000U);
  }
}

TEST_F(NpzTest, NeedsNoNameForTheOnlyArray) {
  RunPython("np.savez(folder + 'x.npz', np.float32([1, 2]))\n");
  const auto array = ReadNpy(archive_);
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_THAT(ToFloats(array->elements), ElementsAre(1, 2));
}

TEST_F(NpzTest, ErrorsListTheArraysOfTheArchive) {
  SaveTwo();
  EXPECT_THAT(ErrorOf(archive_),
              HasSubstr("has these arrays: codes, zeros; expected a single one"));
  EXPECT_THAT(ErrorOf(Named("weights")),
              HasSubstr("no array \"weights\"; expected one of those that it has: codes, zeros"));
  EXPECT_TRUE(absl::IsNotFound(ReadNpy(Named("weights")).status()));
}

TEST_F(NpzTest, ErrorsNameMissingArchivesAndOtherFiles) {
  EXPECT_TRUE(absl::IsNotFound(ReadNpy(Named("x")).status())) << ReadNpy(Named("x")).status();
  ErrorOf(Named("x"));
  WriteBytes(archive_, "no archive at all");
  EXPECT_TRUE(absl::IsInvalidArgument(ReadNpy(Named("x")).status()));
  EXPECT_THAT(ErrorOf(Named("x")), HasSubstr("np.savez("));
}

TEST_F(NpzTest, RefusesArraysThatAreNotNpyFiles) {
  RunPython(
      "import zipfile\n"
      "with zipfile.ZipFile(folder + 'x.npz', 'w') as z:\n"
      "  z.writestr('text.npy', 'no array')\n"
      "  z.writestr('readme.txt', 'no array either')\n");
  EXPECT_THAT(ErrorOf(Named("text")), HasSubstr("expected an .npy file"));
  EXPECT_THAT(ErrorOf(Named("readme.txt")), HasSubstr("those that it has: text"));
}

TEST_F(NpzTest, FindsEveryDamagedByteOfAnArray) {
  RunPython("np.savez(folder + 'x.npz', x=np.arange(3, dtype=np.float32))\n");
  const std::string whole = ReadBytes(archive_);
  const std::size_t first = whole.find("\x93NUMPY");
  ASSERT_NE(first, std::string::npos);
  for (std::size_t i = first; i < first + 128 + 12; ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    WriteBytes(archive_, damaged);
    EXPECT_FALSE(ReadNpy(archive_).ok()) << i;
  }
}

TEST_F(NpzTest, SurvivesEveryTruncationAndMutationOfAnArchive) {
  RunPython("np.savez_compressed(folder + 'x.npz', x=np.arange(3, dtype=np.float32))\n");
  const std::string whole = ReadBytes(archive_);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    WriteBytes(archive_, whole.substr(0, i));
    EXPECT_FALSE(ReadNpy(archive_).ok()) << i;
    for (const char value : {'\0', '\x01', '\x7F', '\xFF'}) {
      std::string mutated = whole;
      mutated[i] = value;
      WriteBytes(archive_, mutated);
      const auto array = ReadNpy(archive_);
      if (array.ok()) {
        EXPECT_EQ(array->elements.size(), 3U);
      }
    }
  }
}

TEST_F(NpzTest, DoesNotAllocateWhatAHostileArchiveClaims) {
  // A header of a petabyte, and an archive that claims to have it.
  RunPython(
      "import io, struct\n"
      "np.savez(folder + 'x.npz', x=np.zeros(1, np.float32))\n"
      "data = open(folder + 'x.npz', 'rb').read()\n"
      "data = data.replace(b'(1,), }' + b' ' * 20, b'(250000000000000,), }' + b' ' * 6)\n"
      "at = data.rindex(b'PK\\x01\\x02')\n"
      "data = data[:at + 24] + struct.pack('<I', 0xFFFFFFF0) + data[at + 28:]\n"
      "open(folder + 'x.npz', 'wb').write(data)\n");
  EXPECT_THAT(ErrorOf(archive_), HasSubstr("larger than its bytes can be"));
}

TEST_F(NpzTest, AddsAndReplacesArraysForNumpy) {
  SaveTwo("savez_compressed");
  const std::vector<float> values = {1.5F, -2};
  ASSERT_TRUE(WriteNpy(Named("scale"), std::vector<std::int64_t>{2}, values).ok());
  ASSERT_TRUE(WriteNpy(Named("codes"), std::vector<std::int64_t>{2, 1},
                       FromCodes(std::vector<std::int32_t>{7, -7}, core::ElementType::kInt4))
                  .ok());
  RunPython(
      "x = np.load(folder + 'x.npz')\n"
      "assert sorted(x.files) == ['codes', 'scale', 'zeros'], x.files\n"
      "assert x['scale'].dtype == np.float32 and list(x['scale']) == [1.5, -2]\n"
      "assert x['codes'].dtype == np.int8 and x['codes'].tolist() == [[7], [-7]]\n"
      "assert x['zeros'].shape == (100000,)\n");
}

TEST_F(NpzTest, MakesAnArchiveWithTheNameThatNumpyGivesAnArray) {
  const std::vector<float> values = {1.5F, -2};
  ASSERT_TRUE(WriteNpy(archive_, std::vector<std::int64_t>{2}, values).ok());
  RunPython("assert list(np.load(folder + 'x.npz')['arr_0']) == [1.5, -2]\n");
  const std::string first = ReadBytes(archive_);
  std::filesystem::remove(archive_);
  ASSERT_TRUE(WriteNpy(archive_, std::vector<std::int64_t>{2}, values).ok());
  EXPECT_EQ(ReadBytes(archive_), first) << "the same array makes the same archive";
}

TEST_F(NpzTest, AFailedWriteNamesThePathAndLeavesNothingBehind) {
  const std::filesystem::path path = (folder_ / "no" / "x.npz").string() + ":x";
  const absl::Status status = WriteNpy(path, std::vector<std::int64_t>{1}, std::vector<float>{1});
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(path.string()));
  WriteBytes(archive_, "old");
  EXPECT_FALSE(WriteNpy(Named("x"), std::vector<std::int64_t>{1}, std::vector<float>{1}).ok());
  EXPECT_EQ(ReadBytes(archive_), "old");
  EXPECT_EQ(folder_.FileCount(), 1U);
}

}  // namespace
}  // namespace quantd::client
