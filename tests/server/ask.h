// Calls of operations with messages, without a server.

#ifndef QUANTD_TESTS_SERVER_ASK_H_
#define QUANTD_TESTS_SERVER_ASK_H_

#include <memory>

#include "absl/status/statusor.h"
#include "core/base/status_macros.h"
#include "quantd/v1/quantization_service.pb.h"
#include "server/calls/session.h"
#include "server/operations/sessions.h"
#include "wire/message.h"
#include "wire/methods.h"
#include "wire/operations.h"
#include "wire/received_message.h"

namespace quantd::server {

// Receives `request`.
template <typename Request>
wire::ReceivedMessage<Request> Receive(const Request& request) {
  return *wire::ReceivedMessage<Request>::Parse(*wire::SerializeMessage(request));
}

// The operation whose request is `Request`.
template <typename Request, std::size_t index = 0>
constexpr std::size_t OperationIndexOf() {
  using Operation = std::tuple_element_t<index, wire::Operations>;
  if constexpr (std::same_as<Request, typename Operation::Request>) {
    return index;
  } else {
    return OperationIndexOf<Request, index + 1>();
  }
}

// Has `session` answer one request.
template <typename Request>
absl::StatusOr<
    typename std::tuple_element_t<OperationIndexOf<Request>(), wire::Operations>::Response>
AskSession(Session& session, const Request& request) {
  RETURN_IF_ERROR(session.Decode(*wire::SerializeMessage(request)).status());
  grpc::ByteBuffer bytes;
  RETURN_IF_ERROR(session.Answer(&bytes));
  typename std::tuple_element_t<OperationIndexOf<Request>(), wire::Operations>::Response response;
  RETURN_IF_ERROR(wire::ParseMessage(bytes, response));
  return response;
}

// A new session for calls with `Request`.
template <typename Request>
std::unique_ptr<Session> SessionFor(const OperationContext& context, wire::Transfer transfer) {
  return MakeSession(wire::kMethods[wire::MethodIndex(OperationIndexOf<Request>(), transfer)],
                     context, {});
}

// Makes a call with one request.
template <typename Request>
auto Ask(const Request& request, const OperationContext& context,
         wire::Transfer transfer = wire::Transfer::kUnary) {
  return AskSession(*SessionFor<Request>(context, transfer), request);
}

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_ASK_H_
