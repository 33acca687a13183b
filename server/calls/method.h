// The methods of QuantizationService, for metrics and logs.

#ifndef QUANTD_SERVER_CALLS_METHOD_H_
#define QUANTD_SERVER_CALLS_METHOD_H_

#include <array>
#include <cstddef>
#include <string_view>

namespace quantd::server {

inline constexpr std::string_view kServiceName = "quantd.v1.QuantizationService";

enum class Method : std::size_t {
  kFakeQuantize,
  kFakeQuantizeGradient,
  kStreamFakeQuantize,
  kStreamFakeQuantizeGradient,
  kGetServerInfo
};

struct MethodDescription {
  // In the schema.
  std::string_view name;
  // As go-grpc-prometheus spells it.
  std::string_view type;
};

// By the enum's numbers.
inline constexpr std::array<MethodDescription, 5> kMethods = {
    {{.name = "FakeQuantize", .type = "unary"},
     {.name = "FakeQuantizeGradient", .type = "unary"},
     {.name = "StreamFakeQuantize", .type = "bidi_stream"},
     {.name = "StreamFakeQuantizeGradient", .type = "bidi_stream"},
     {.name = "GetServerInfo", .type = "unary"}}};

constexpr std::string_view MethodName(Method method) {
  return kMethods[static_cast<std::size_t>(method)].name;
}

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CALLS_METHOD_H_
