// The operations as core names them.

#ifndef QUANTD_SERVER_OPERATIONS_OPERATION_KIND_H_
#define QUANTD_SERVER_OPERATIONS_OPERATION_KIND_H_

#include "core/support.h"
#include "wire/operations.h"

namespace quantd::server {

// The kind of `Operation`.
template <typename Operation>
inline constexpr core::OperationKind kOperationKind = [] {
  static_assert(sizeof(Operation) == 0, "Operation has no kind");
  return core::OperationKind();
}();
template <>
inline constexpr core::OperationKind kOperationKind<wire::FakeQuantize> =
    core::OperationKind::kFakeQuantize;
template <>
inline constexpr core::OperationKind kOperationKind<wire::FakeQuantizeGradient> =
    core::OperationKind::kFakeQuantizeGradient;
template <>
inline constexpr core::OperationKind kOperationKind<wire::Quantize> =
    core::OperationKind::kQuantize;
template <>
inline constexpr core::OperationKind kOperationKind<wire::Dequantize> =
    core::OperationKind::kDequantize;

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPERATIONS_OPERATION_KIND_H_
