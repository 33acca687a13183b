// Mutations that know protobuf's wire format: they change a field deep within a
// message and mend the lengths around it, which bytes changed at random break.

#ifndef QUANTD_TESTS_FUZZ_FIELD_MUTATION_H_
#define QUANTD_TESTS_FUZZ_FIELD_MUTATION_H_

#include <cstddef>
#include <functional>
#include <random>
#include <string>

namespace quantd::fuzz {

using RandomNumbers = std::minstd_rand;

// Changes bytes of which nothing is known.
using MutateBytes = std::function<std::string(const std::string& bytes)>;

// Changes one field of `message`, or of a message in it: its value, its place,
// its number, how often it is there, or how its tag and length are spelt. Bytes
// that are no message are left to `mutate_bytes`.
std::string MutateField(const std::string& message, RandomNumbers& random,
                        const MutateBytes& mutate_bytes);

// Gives the tensors of a FakeQuantizeRequest, or of a gradient request, as many
// elements as their shapes say, where these are few. Most mutations of a shape
// or of elements make a request that is refused for just that.
std::string MendRequest(const std::string& message, bool gradient, RandomNumbers& random);

}  // namespace quantd::fuzz

#endif  // QUANTD_TESTS_FUZZ_FIELD_MUTATION_H_
