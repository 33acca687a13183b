// What the requests of a stream leave to those after them.

#ifndef QUANTD_SERVER_OPERATIONS_INHERITED_SETTINGS_H_
#define QUANTD_SERVER_OPERATIONS_INHERITED_SETTINGS_H_

#include <cstdint>

#include "quantd/v1/tensor.pb.h"
#include "server/operations/settings_codec.h"
#include "wire/operations.h"

namespace quantd::server {

// Parameters, spec and output type of the requests so far. Parameters of one kind
// replace those of another; a spec and an output type replace their own kind alone.
template <typename Request>
class InheritedSettings {
 public:
  // Takes over what `request` says besides its tensors. Returns whether it says
  // anything.
  bool Take(Request& request) {
    const bool has_parameters = TakeParameters(request);
    const bool has_spec = request.has_spec();
    if (has_spec) {
      settings_.mutable_spec()->Swap(request.mutable_spec());
    }
    return TakeOutputType(request) || has_parameters || has_spec;
  }

  // A request with all of it and without tensors.
  const Request& settings() const { return settings_; }

  // The size of the parameters as they were sent.
  std::uint64_t parameter_bytes() const { return parameter_bytes_; }

 private:
  bool TakeParameters(Request& request) {
    const ReceivedSettings given = SettingsOf(request);
    if (given.range == nullptr && given.affine == nullptr && given.data_range == nullptr) {
      return false;
    }
    parameter_bytes_ = 0;
    if constexpr (wire::TakesRange<Request>) {
      settings_.clear_range();
      if (request.has_range()) {
        parameter_bytes_ += request.range().ByteSizeLong();
        settings_.mutable_range()->Swap(request.mutable_range());
      }
    }
    if constexpr (wire::TakesAffine<Request>) {
      settings_.clear_affine();
      if (request.has_affine()) {
        parameter_bytes_ += request.affine().ByteSizeLong();
        settings_.mutable_affine()->Swap(request.mutable_affine());
      }
    }
    if constexpr (wire::TakesDataRange<Request>) {
      settings_.clear_data_range();
      if (request.has_data_range()) {
        settings_.mutable_data_range()->Swap(request.mutable_data_range());
      }
    }
    return true;
  }

  bool TakeOutputType(const Request& request) {
    if constexpr (wire::TakesOutputType<Request>) {
      if (request.output_type() != v1::DATA_TYPE_UNSPECIFIED) {
        settings_.set_output_type(request.output_type());
        return true;
      }
    }
    return false;
  }

  Request settings_;
  std::uint64_t parameter_bytes_ = 0;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPERATIONS_INHERITED_SETTINGS_H_
