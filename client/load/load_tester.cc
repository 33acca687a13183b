#include "client/load/load_tester.h"

#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "client/library/channel.h"
#include "client/library/server_address.h"
#include "client/library/token_file.h"
#include "client/load/calls.h"
#include "client/load/load_run.h"
#include "client/load/retried_calls.h"
#include "core/base/status_macros.h"
#include "wire/methods.h"

namespace quantd::client {

LoadTester::LoadTester(LoadTesterOptions options, std::size_t server_count,
                       std::string authorization, Workload workload,
                       std::vector<std::shared_ptr<grpc::Channel>> channels)
    : options_(std::move(options)),
      server_count_(server_count),
      authorization_(std::move(authorization)),
      workload_(std::move(workload)),
      channels_(std::move(channels)) {}

absl::StatusOr<std::unique_ptr<LoadTester>> LoadTester::Connect(const LoadTesterOptions& options,
                                                                Workload workload) {
  ASSIGN_OR_RETURN(const std::vector<ServerAddress> addresses,
                   ParseServerAddresses(options.address));
  RETURN_IF_ERROR(CheckSecurity(options.security, addresses));
  ASSIGN_OR_RETURN(std::string authorization_header,
                   TokenFile(options.security.token_file).AuthorizationHeader());
  std::vector<std::shared_ptr<grpc::Channel>> channels(options.connections);
  for (std::size_t index = 0; index < channels.size(); ++index) {
    channels[index] = CreateChannel(addresses[index % addresses.size()], options.security,
                                    ChannelKind::kOwnConnection);
    channels[index]->GetState(/*try_to_connect=*/true);
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
  auto tester =
      absl::WrapUnique(new LoadTester(options, addresses.size(), std::move(authorization_header),
                                      std::move(workload), std::move(channels)));
  return tester;
}

LoadResult LoadTester::Run(const LoadPlan& plan, const std::stop_token& stop,
                           const Watcher& watcher) {
  const auto make_tries = [&](Calls::Listener& listener) {
    const CallsOptions options{.channels = channels_,
                               .places = plan.concurrency,
                               .method = std::string(workload_.method().path),
                               .authorization = authorization_,
                               .timeout = options_.timeout};
    return workload_.method().transfer == wire::Transfer::kStream
               ? MakeStreamCalls(options, listener)
               : MakeUnaryCalls(options, listener);
  };
  const auto make_calls = [&](Calls::Listener& listener) -> std::unique_ptr<Calls> {
    if (options_.retry.max_outage <= std::chrono::milliseconds(0)) {
      return make_tries(listener);
    }
    const RetriedCallsOptions options{.retry = options_.retry,
                                      .places = plan.concurrency,
                                      .servers = server_count_,
                                      .timeout = options_.timeout};
    return std::make_unique<RetriedCalls>(options, make_tries, listener);
  };
  return LoadRun(plan, workload_).Run(make_calls, options_.timeout, stop, watcher);
}

}  // namespace quantd::client
