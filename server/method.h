// The methods of QuantizationService, for metrics and logs.

#ifndef QUANTD_SERVER_METHOD_H_
#define QUANTD_SERVER_METHOD_H_

#include <array>
#include <cstddef>
#include <string_view>

namespace quantd::server {

inline constexpr std::string_view kServiceName = "quantd.v1.QuantizationService";

enum class Method : std::size_t { kFakeQuantize, kFakeQuantizeGradient, kGetServerInfo };

// The methods' names in the schema, by the enum's numbers.
inline constexpr std::array<std::string_view, 3> kMethodNames = {
    "FakeQuantize", "FakeQuantizeGradient", "GetServerInfo"};

constexpr std::string_view MethodName(Method method) {
  return kMethodNames[static_cast<std::size_t>(method)];
}

}  // namespace quantd::server

#endif  // QUANTD_SERVER_METHOD_H_
