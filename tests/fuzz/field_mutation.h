// Mutations that know protobuf's wire format. They change a field deep within a
// message and correct the lengths around it, which a change of random bytes would
// break.

#ifndef QUANTD_TESTS_FUZZ_FIELD_MUTATION_H_
#define QUANTD_TESTS_FUZZ_FIELD_MUTATION_H_

#include <cstddef>
#include <functional>
#include <random>
#include <string>

namespace quantd::fuzz {

using RandomNumbers = std::minstd_rand;

// Changes bytes that may mean anything.
using MutateBytes = std::function<std::string(const std::string& bytes)>;

// Changes one field of `message` or of a message in it: its value, its place, its
// number, how often it occurs, or how its tag and length are spelt. Bytes that are
// not a message are left to `mutate_bytes`.
std::string MutateField(const std::string& message, RandomNumbers& random,
                        const MutateBytes& mutate_bytes);

// Corrects a request of the operation of this index: its tensors get one shape
// and type and as many elements as the shape says, it gets parameters of one kind
// with as many values as there are channels, and a numerics that has these and the
// types. Most mutations of a shape or of elements make a request that is refused for
// just such a mismatch.
std::string RepairRequest(const std::string& message, std::size_t operation, RandomNumbers& random);

}  // namespace quantd::fuzz

#endif  // QUANTD_TESTS_FUZZ_FIELD_MUTATION_H_
