// What a load consists of.

#ifndef QUANTD_CLIENT_LOAD_WORKLOAD_H_
#define QUANTD_CLIENT_LOAD_WORKLOAD_H_

#include <random>
#include <vector>

#include "client/load/request.h"
#include "wire/methods.h"

namespace quantd::client {

// A mix of requests to one method. Immutable, and safe to use from several
// threads at once.
class Workload {
 public:
  struct Part {
    Request request;
    // How often it is sent, in proportion to the others' weights. Above 0.
    double weight = 1;
  };

  // `parts` are at least one, and are requests of the method's operation.
  Workload(const wire::Method& method, std::vector<Part> parts);

  const wire::Method& method() const { return method_; }

  // Returns one of the requests, at random.
  const Request& Pick(std::mt19937_64& random) const;

 private:
  wire::Method method_;
  std::vector<Part> parts_;
  double total_weight_ = 0;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_WORKLOAD_H_
