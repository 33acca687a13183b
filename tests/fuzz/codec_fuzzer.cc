// libFuzzer's entry points (https://llvm.org/docs/LibFuzzer.html): script/fuzz
// builds and runs them.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/status/statusor.h"
#include "tests/fuzz/codec_comparison.h"
#include "tests/fuzz/field_mutation.h"
#include "tests/fuzz/fuzz_input.h"

namespace quantd::fuzz {
namespace {

// libFuzzer's own mutations, with its dictionary and its crossing of inputs.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

// The bytes by which a mutation may lengthen a field.
constexpr std::size_t kGrowth = 64;

std::string MutateAnyBytes(const std::string& bytes) {
  std::string mutated = bytes;
  mutated.resize(bytes.size() + kGrowth);
  void* const data = mutated.data();
  mutated.resize(LLVMFuzzerMutate(static_cast<std::uint8_t*>(data), bytes.size(), mutated.size()));
  return mutated;
}

std::string MutateMessage(const FuzzInput& input, RandomNumbers& random) {
  const std::string message(input.message.begin(), input.message.end());
  if (IsRequest(input.message_type) && random() % 16 == 0) {
    return RepairRequest(message, OperationOf(input.message_type), random);
  }
  return MutateField(message, random, MutateAnyBytes);
}

}  // namespace
}  // namespace quantd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto reached = quantd::fuzz::CompareCodec(quantd::fuzz::ReadInput({data, size}));
  if (!reached.ok()) {
    std::fprintf(stderr, "%s\n", reached.status().ToString().c_str());
    std::abort();
  }
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  using namespace quantd::fuzz;  // NOLINT(google-build-using-namespace): outside for C's linkage.
  RandomNumbers random(seed);
  if (size < kInputHeaderBytes || random() % 4 == 0) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  const FuzzInput input = ReadInput({data, size});
  const std::string message = MutateMessage(input, random);
  const std::size_t head = size - input.message.size();
  const std::size_t length = std::min(message.size(), max_size - head);
  std::copy_n(message.begin(), length, data + head);
  return head + length;
}
