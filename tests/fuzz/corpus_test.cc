// The seed corpus as a regression test, with any compiler.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(Corpus, IsReadByTheCodecAsByTheGeneratedParser) {
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

TEST(Corpus, ReachesAllThatThereIsOfEveryMessage) {
  std::set<std::pair<MessageType, Reached>> reached;
  for (const CorpusFile& file : LoadCorpus()) {
    const FuzzInput input = ReadInput(file.bytes);
    const auto outcome = CompareCodec(input);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    reached.emplace(input.type, *outcome);
  }
  for (const MessageType request :
       {MessageType::kFakeQuantizeRequest, MessageType::kFakeQuantizeGradientRequest}) {
    EXPECT_THAT(reached, Contains(Pair(request, Reached::kArguments)));
    EXPECT_THAT(reached, Contains(Pair(request, Reached::kElements)));
  }
  for (int type = 0; type < 4; ++type) {
    EXPECT_THAT(reached, Contains(Pair(static_cast<MessageType>(type), Reached::kRefusal)));
    EXPECT_THAT(reached, Contains(Pair(static_cast<MessageType>(type), Reached::kMessage)));
  }
}

}  // namespace
}  // namespace quantd::fuzz
