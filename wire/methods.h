// The methods of quantd.v1.QuantizationService, derived from the operations.

#ifndef QUANTD_WIRE_METHODS_H_
#define QUANTD_WIRE_METHODS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "wire/operations.h"

namespace quantd::wire {

inline constexpr std::string_view kServiceName = "quantd.v1.QuantizationService";

// How the messages of a method travel.
enum class Transfer {
  // One request and one response.
  kUnary,
  // Any number of requests, each answered by one response.
  kStream,
};

namespace internal {

// The texts `parts` as one text that lives as long as the program. A null
// character follows it, for interfaces that take C strings.
template <const std::string_view&... parts>
struct Concatenation {
  static constexpr auto kCharacters = [] {
    std::array<char, (parts.size() + ... + 1)> characters{};
    char* end = characters.data();
    ((end = std::ranges::copy(parts, end).out), ...);
    return characters;
  }();
  static constexpr std::string_view kText{kCharacters.data(), kCharacters.size() - 1};
};

inline constexpr std::string_view kSlash = "/";
inline constexpr std::string_view kStreamPrefix = "Stream";
inline constexpr std::string_view kGetServerInfo = "GetServerInfo";

}  // namespace internal

// A method of the service.
struct Method {
  // In the schema, such as "StreamFakeQuantize".
  std::string_view name;
  // The path by which gRPC calls it: "/package.Service/Method". A null character
  // follows it.
  std::string_view path;
  Transfer transfer = Transfer::kUnary;
  // The index of its operation; kOperationCount for GetServerInfo, which has none.
  std::size_t operation = kOperationCount;
};

namespace internal {

template <const std::string_view& name>
constexpr Method MakeMethod(Transfer transfer, std::size_t operation) {
  return {.name = name,
          .path = Concatenation<kSlash, kServiceName, kSlash, name>::kText,
          .transfer = transfer,
          .operation = operation};
}

}  // namespace internal

// All methods: the unary ones of all operations, their streams, and
// GetServerInfo.
inline constexpr std::array<Method, 2 * kOperationCount + 1> kMethods = [] {
  std::array<Method, 2 * kOperationCount + 1> methods;
  std::size_t index = 0;
  ForEachOperation([&]<typename Operation>() {
    methods[index] = internal::MakeMethod<Operation::kName>(Transfer::kUnary, index);
    methods[kOperationCount + index] = internal::MakeMethod<
        internal::Concatenation<internal::kStreamPrefix, Operation::kName>::kText>(
        Transfer::kStream, index);
    ++index;
  });
  methods.back() =
      internal::MakeMethod<internal::kGetServerInfo>(Transfer::kUnary, kOperationCount);
  return methods;
}();

// The index in kMethods of an operation's method.
constexpr std::size_t MethodIndex(std::size_t operation, Transfer transfer) {
  return transfer == Transfer::kUnary ? operation : kOperationCount + operation;
}
inline constexpr std::size_t kGetServerInfoIndex = kMethods.size() - 1;

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_METHODS_H_
