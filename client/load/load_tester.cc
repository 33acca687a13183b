#include "client/load/load_tester.h"

#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "client/library/channel.h"
#include "client/load/calls.h"
#include "client/load/load_run.h"
#include "wire/methods.h"

namespace quantd::client {

LoadTester::LoadTester(LoadTesterOptions options, Workload workload,
                       std::vector<std::shared_ptr<grpc::Channel>> channels)
    : options_(std::move(options)),
      workload_(std::move(workload)),
      channels_(std::move(channels)) {}

absl::StatusOr<std::unique_ptr<LoadTester>> LoadTester::Connect(const LoadTesterOptions& options,
                                                                Workload workload) {
  std::vector<std::shared_ptr<grpc::Channel>> channels(options.connections);
  for (std::shared_ptr<grpc::Channel>& channel : channels) {
    channel = CreateChannel(options.address, ChannelKind::kOwnConnection);
    channel->GetState(/*try_to_connect=*/true);
  }
  const auto deadline = std::chrono::system_clock::now() + options.timeout;
  for (std::size_t index = 0; index < channels.size(); ++index) {
    if (!channels[index]->WaitForConnected(deadline)) {
      return absl::UnavailableError(absl::StrCat(
          index, " of ", channels.size(), " connections to ", options.address,
          " came about within ", options.timeout.count(),
          " ms: check the address, that quantd runs, and that it may open as many files"));
    }
  }
  return absl::WrapUnique(new LoadTester(options, std::move(workload), std::move(channels)));
}

LoadResult LoadTester::Run(const LoadPlan& plan, const std::stop_token& stop,
                           const Watcher& watcher) {
  const auto make_calls = [&](Calls::Listener& listener) {
    const CallsOptions options{.channels = channels_,
                               .places = plan.concurrency,
                               .method = std::string(workload_.method().path),
                               .timeout = options_.timeout};
    return workload_.method().transfer == wire::Transfer::kStream
               ? MakeStreamCalls(options, listener)
               : MakeUnaryCalls(options, listener);
  };
  return LoadRun(plan, workload_).Run(make_calls, options_.timeout, stop, watcher);
}

}  // namespace quantd::client
