#include "bench/contenders/xnnpack_operators.h"

#include <xnnpack.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "bench/contenders/quantd_affine.h"
#include "core/base/element_type.h"

namespace quantd::bench {
namespace {

void ThrowIfFailed(xnn_status status) {
  if (status != xnn_status_success) {
    throw std::runtime_error("XNNPACK failed with the status " + std::to_string(status));
  }
}

// The parameters of an operator for codes of type T.
template <typename T>
struct Parameters {
  explicit Parameters(const Problem& problem) : scale(problem.scale.front()) {
    if (problem.per_channel) {
      throw std::runtime_error("XNNPACK has no such operator per channel");
    }
    zero_point = static_cast<T>(ZeroPointsFor(problem, core::kElementTypeOf<T>).front());
  }

  float scale;
  T zero_point;
};

// Every element is a batch of one channel. XNNPACK then treats them as one row.
constexpr std::size_t kOne = 1;

using Operator = std::shared_ptr<xnn_operator>;

Operator Own(xnn_operator_t made) { return {made, xnn_delete_operator}; }

template <typename T>
Operator MakeQuantize(const Problem& p) {
  const Parameters<T> parameters(p);
  constexpr T kLowest = std::numeric_limits<T>::min();
  constexpr T kHighest = std::numeric_limits<T>::max();
  auto* const codes = reinterpret_cast<T*>(p.outputs.data());
  xnn_operator_t made = nullptr;
  if constexpr (std::is_signed_v<T>) {
    ThrowIfFailed(xnn_create_convert_nc_f32_qs8(kOne, kOne, kOne, parameters.scale,
                                                parameters.zero_point, kLowest, kHighest,
                                                /*flags=*/0, &made));
    ThrowIfFailed(xnn_setup_convert_nc_f32_qs8(made, p.inputs.size(), p.inputs.data(), codes,
                                               /*threadpool=*/nullptr));
  } else {
    ThrowIfFailed(xnn_create_convert_nc_f32_qu8(kOne, kOne, kOne, parameters.scale,
                                                parameters.zero_point, kLowest, kHighest,
                                                /*flags=*/0, &made));
    ThrowIfFailed(xnn_setup_convert_nc_f32_qu8(made, p.inputs.size(), p.inputs.data(), codes,
                                               /*threadpool=*/nullptr));
  }
  return Own(made);
}

template <typename T>
Operator MakeDequantize(const Problem& p) {
  const Parameters<T> parameters(p);
  const auto* const codes = reinterpret_cast<const T*>(p.codes.data());
  xnn_operator_t made = nullptr;
  if constexpr (std::is_signed_v<T>) {
    ThrowIfFailed(xnn_create_convert_nc_qs8_f32(kOne, kOne, kOne, parameters.scale,
                                                parameters.zero_point, /*flags=*/0, &made));
    ThrowIfFailed(xnn_setup_convert_nc_qs8_f32(made, p.outputs.size(), codes, p.outputs.data(),
                                               /*threadpool=*/nullptr));
  } else {
    ThrowIfFailed(xnn_create_convert_nc_qu8_f32(kOne, kOne, kOne, parameters.scale,
                                                parameters.zero_point, /*flags=*/0, &made));
    ThrowIfFailed(xnn_setup_convert_nc_qu8_f32(made, p.outputs.size(), codes, p.outputs.data(),
                                               /*threadpool=*/nullptr));
  }
  return Own(made);
}

template <typename Make>
Contender Xnnpack(const std::string& operation, Make make) {
  return {.name = "xnnpack", .operation = operation, .prepare = [make](const Problem& p) -> Call {
            ThrowIfFailed(xnn_initialize(/*allocator=*/nullptr));
            return [made = make(p)] {
              ThrowIfFailed(xnn_run_operator(made.get(), /*threadpool=*/nullptr));
            };
          }};
}

}  // namespace

std::vector<Contender> XnnpackOperators() {
  return {Xnnpack("quantize_int8", MakeQuantize<std::int8_t>),
          Xnnpack("quantize_uint8", MakeQuantize<std::uint8_t>),
          Xnnpack("dequantize_int8", MakeDequantize<std::int8_t>),
          Xnnpack("dequantize_uint8", MakeDequantize<std::uint8_t>)};
}

}  // namespace quantd::bench
