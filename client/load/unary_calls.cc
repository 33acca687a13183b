#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "client/library/channel_choice.h"
#include "client/library/tries.h"
#include "client/load/calls.h"
#include "core/base/mutex.h"
#include "wire/status.h"

namespace quantd::client {
namespace {

using Clock = std::chrono::steady_clock;

class UnaryCalls final : public Calls {
 public:
  UnaryCalls(const CallsOptions& options, Listener& listener)
      : method_(options.method),
        authorization_(options.authorization),
        timeout_(options.timeout),
        listener_(listener),
        choice_({options.channels.begin(), options.channels.end()}),
        places_(options.places) {
    for (const std::shared_ptr<grpc::Channel>& channel : options.channels) {
      stubs_.push_back(std::make_unique<grpc::GenericStub>(channel));
    }
  }

  void Start(std::size_t number, const Request& request, std::size_t shift) override {
    Place& place = places_[number];
    grpc::ClientContext* const context = Renew(place);
    context->set_deadline(std::chrono::system_clock::now() + timeout_);
    if (!authorization_.empty()) {
      context->AddMetadata("authorization", authorization_);
    }
    place.answer.Clear();
    place.sent = Clock::now();
    const std::size_t channel = choice_.From(number + shift);
    stubs_[channel]->UnaryCall(context, method_, {}, &request.bytes(), &place.answer,
                               [this, number, channel, &place](const grpc::Status& status) {
                                 NoteEnd(channel, status);
                                 listener_.CallEnded(number, {.sent = place.sent,
                                                              .ended = Clock::now(),
                                                              .status = status,
                                                              .answer = place.answer});
                               });
  }

  void Cancel() override {
    for (Place& place : places_) {
      const core::MutexLock lock(&place.mutex);
      place.is_cancelled = true;
      if (place.context.has_value()) {
        place.context->TryCancel();
      }
    }
  }

 private:
  void NoteEnd(std::size_t channel, const grpc::Status& status) {
    if (status.ok()) {
      choice_.NoteAnswer(channel);
    } else if (MayEndOtherwise(wire::ToAbslStatus(status))) {
      choice_.NoteFailure(channel);
    }
  }

  struct Place {
    // Keeps Cancel() from a context that is being replaced.
    core::Mutex mutex;
    std::optional<grpc::ClientContext> context ABSL_GUARDED_BY(mutex);
    bool is_cancelled ABSL_GUARDED_BY(mutex) = false;
    // Belong to the call.
    grpc::ByteBuffer answer;
    Clock::time_point sent;
  };

  // Returns a new context for the next call in a place.
  static grpc::ClientContext* Renew(Place& place) {
    const core::MutexLock lock(&place.mutex);
    place.context.emplace();
    if (place.is_cancelled) {
      place.context->TryCancel();
    }
    return &*place.context;
  }

  const std::string method_;
  const std::string authorization_;
  const std::chrono::milliseconds timeout_;
  Listener& listener_;
  ChannelChoice choice_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  // Never resized, because calls refer to their places.
  std::vector<Place> places_;
};

}  // namespace

std::unique_ptr<Calls> MakeUnaryCalls(const CallsOptions& options, Calls::Listener& listener) {
  return std::make_unique<UnaryCalls>(options, listener);
}

}  // namespace quantd::client
