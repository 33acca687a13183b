#include "client/load/workload.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace quantd::client {

std::string MethodName(Operation operation, Transfer transfer) {
  return absl::StrCat(
      transfer == Transfer::kStream ? "Stream" : "",
      operation == Operation::kFakeQuantize ? "FakeQuantize" : "FakeQuantizeGradient");
}

Workload::Workload(Operation operation, Transfer transfer, std::vector<Part> parts)
    : operation_(operation), transfer_(transfer), parts_(std::move(parts)) {
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
