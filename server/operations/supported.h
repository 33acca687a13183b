// What the methods take with any numerics.

#ifndef QUANTD_SERVER_OPERATIONS_SUPPORTED_H_
#define QUANTD_SERVER_OPERATIONS_SUPPORTED_H_

#include <string>

#include "core/base/element_type.h"
#include "core/support.h"
#include "quantd/v1/tensor.pb.h"

namespace quantd::server {

// Whether an operation takes tensors of `type` with any numerics.
bool TakesType(core::OperationKind operation, core::ElementType type);

// The name of `type`, or that its number is unknown.
std::string DataTypeName(v1::DataType type);

// Core's names, separated by commas, of the numerics that an operation has, and of the
// types that it takes and makes with any of them.
std::string SupportedNumerics(core::OperationKind operation);
std::string SupportedInputTypes(core::OperationKind operation);
std::string SupportedOutputTypes(core::OperationKind operation);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPERATIONS_SUPPORTED_H_
