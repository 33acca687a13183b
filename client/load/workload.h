// What a load consists of.

#ifndef QUANTD_CLIENT_LOAD_WORKLOAD_H_
#define QUANTD_CLIENT_LOAD_WORKLOAD_H_

#include <random>
#include <string>
#include <vector>

#include "client/load/request.h"

namespace quantd::client {

// How requests travel.
enum class Transfer {
  // A call for each.
  kUnary,
  // As messages of a stream, one stream a connection.
  kStream,
};

// The method of quantd.v1.QuantizationService, such as "StreamFakeQuantize".
std::string MethodName(Operation operation, Transfer transfer);

// A mix of requests to one method. Immutable, and safe to use from several
// threads at once.
class Workload {
 public:
  struct Part {
    Request request;
    // How often it is sent, in proportion to the others' weights. Above 0.
    double weight = 1;
  };

  // `parts` are at least one.
  Workload(Operation operation, Transfer transfer, std::vector<Part> parts);

  Operation operation() const { return operation_; }
  Transfer transfer() const { return transfer_; }

  // One of the requests, at random.
  const Request& Pick(std::mt19937_64& random) const;

 private:
  Operation operation_;
  Transfer transfer_;
  std::vector<Part> parts_;
  double total_weight_ = 0;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_WORKLOAD_H_
