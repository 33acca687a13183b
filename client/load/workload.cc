#include "client/load/workload.h"

#include <cassert>
#include <utility>

namespace quantd::client {

Workload::Workload(const wire::Method& method, std::vector<Part> parts)
    : method_(method), parts_(std::move(parts)) {
  assert(!parts_.empty());
  for (const Part& part : parts_) {
    total_weight_ += part.weight;
  }
}

const Request& Workload::Pick(std::mt19937_64& random) const {
  if (parts_.size() == 1) {
    return parts_.front().request;
  }
  double rest = std::uniform_real_distribution<double>(0, total_weight_)(random);
  for (const Part& part : parts_) {
    rest -= part.weight;
    if (rest < 0) {
      return part.request;
    }
  }
  return parts_.back().request;
}

}  // namespace quantd::client
