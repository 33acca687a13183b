// The seed corpus as a regression test, with any compiler.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/fuzz/codec_comparison.h"
#include "tests/fuzz/fuzz_input.h"
#include "wire/operations.h"

namespace quantd::fuzz {
namespace {

using testing::Contains;
using testing::Pair;

struct CorpusFile {
  std::string name;
  std::vector<std::uint8_t> bytes;
};

std::vector<CorpusFile> LoadCorpus() {
  std::vector<CorpusFile> files;
  for (const auto& entry : std::filesystem::directory_iterator(QUANTD_CORPUS_FOLDER)) {
    std::ifstream stream(entry.path(), std::ios::binary);
    files.push_back(
        {.name = entry.path().filename(), .bytes = {std::istreambuf_iterator<char>(stream), {}}});
  }
  return files;
}

TEST(Corpus, IsReadAsTheGeneratedParserReadsIt) {
  for (const CorpusFile& file : LoadCorpus()) {
    const auto reached = CompareCodec(ReadInput(file.bytes));
    EXPECT_TRUE(reached.ok()) << file.name << ": " << reached.status();
  }
}

TEST(Corpus, IsReadTheSameWhereverItIsCut) {
  for (const CorpusFile& file : LoadCorpus()) {
    FuzzInput input = ReadInput(file.bytes);
    for (std::uint8_t length = 1; length <= 64; ++length) {
      input.slice_lengths = {&length, 1};
      const auto reached = CompareCodec(input);
      ASSERT_TRUE(reached.ok()) << file.name << " in slices of " << int{length} << ": "
                                << reached.status();
    }
  }
}

TEST(Corpus, KeepsItsMeaningWhenOperationsAreAdded) {
  for (const CorpusFile& file : LoadCorpus()) {
    ASSERT_FALSE(file.bytes.empty()) << file.name;
    EXPECT_LT(file.bytes[0], kMessageTypeCount) << file.name;
  }
}

TEST(Corpus, ReachesEveryOutcomeOfEveryTypeOfMessage) {
  std::set<std::pair<std::size_t, Reached>> reached;
  for (const CorpusFile& file : LoadCorpus()) {
    const FuzzInput input = ReadInput(file.bytes);
    const auto outcome = CompareCodec(input);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    reached.emplace(input.message_type, *outcome);
  }
  for (std::size_t type = 0; type < kMessageTypeCount; ++type) {
    EXPECT_THAT(reached, Contains(Pair(type, Reached::kRefusal)));
    EXPECT_THAT(reached, Contains(Pair(type, Reached::kMessage)));
    if (IsRequest(type)) {
      EXPECT_THAT(reached, Contains(Pair(type, Reached::kArguments)));
      EXPECT_THAT(reached, Contains(Pair(type, Reached::kElements)));
    }
  }
}

TEST(Corpus, HasAnsweredRequestsOfEveryOperationThatInherit) {
  std::set<std::size_t> operations;
  std::set<std::size_t> with_scales;
  for (const CorpusFile& file : LoadCorpus()) {
    const FuzzInput input = ReadInput(file.bytes);
    const auto outcome = CompareCodec(input);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    if (input.inherits_parameters && input.inherits_spec && *outcome == Reached::kElements) {
      operations.insert(OperationOf(input.message_type));
    }
    if (input.inherits_scales && *outcome == Reached::kElements) {
      with_scales.insert(OperationOf(input.message_type));
    }
  }
  EXPECT_EQ(operations.size(), wire::kOperationCount);
  EXPECT_EQ(with_scales.size(), wire::kOperationCount);
}

}  // namespace
}  // namespace quantd::fuzz
