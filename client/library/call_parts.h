// The parts in which a call with a large tensor is made.

#ifndef QUANTD_CLIENT_LIBRARY_CALL_PARTS_H_
#define QUANTD_CLIENT_LIBRARY_CALL_PARTS_H_

#include <cstddef>
#include <optional>

#include "client/library/tensor_call.h"
#include "client/library/tensor_parts.h"
#include "core/parameter_layout.h"
#include "core/quantization.h"

namespace quantd::client {

// Returns the numerics that the server uses for a call.
core::Numerics NumericsOf(const TensorCall& call);

// The parts of a call, in the order in which they are sent and answered. The first has no elements,
// but all parameters, unless they belong to blocks.
class CallParts {
 public:
  // About `message_bytes` are in the tensors of a part.
  CallParts(const TensorCall& call, const core::ParameterLayout& layout, std::size_t message_bytes);

  // From now on, the parts that are left, with the first part before them: for a server that knows
  // nothing of those that are done.
  void StartAnew() { first_ = FirstOf(layout_, has_axis_); }

  // Returns the next part, or nothing after the last.
  std::optional<TensorPart> Next();

 private:
  static std::optional<TensorPart> FirstOf(const core::ParameterLayout& layout, bool has_axis);

  core::ParameterLayout layout_;
  bool has_axis_;
  std::optional<TensorPart> first_;
  TensorParts parts_;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_CALL_PARTS_H_
