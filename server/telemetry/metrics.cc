#include "server/telemetry/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/summary.h>
#include <prometheus/text_serializer.h>

#include <cassert>
#include <functional>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "core/base/error.h"
#include "core/base/mutex.h"
#include "server/telemetry/code_name.h"
#include "version.h"
#include "wire/operations.h"

namespace quantd::server {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::BuildSummary;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;
using prometheus::Summary;

// In seconds. The buckets cover calls from a few elements up to the largest message.
const Histogram::BucketBoundaries kHandlingBuckets = {
    1e-5,   2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2,
    2.5e-2, 5e-2,   0.1,  0.25, 0.5,    1,    2.5,  5,      10};
const Histogram::BucketBoundaries kKernelBuckets = {
    1e-6,   2.5e-6, 5e-6, 1e-5,   2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3,
    2.5e-3, 5e-3,   1e-2, 2.5e-2, 5e-2,   0.1,  0.25, 0.5,    1,    2.5};

struct MethodSeries {
  MethodSeries(const Labels& labels, Family<Counter>& started_family,
               Family<Counter>& handled_family, Family<Histogram>& seconds_family,
               Family<Counter>& received_family, Family<Counter>& sent_family)
      : started(started_family.Add(labels)),
        seconds(seconds_family.Add(labels, kHandlingBuckets)),
        received(received_family.Add(labels)),
        sent(sent_family.Add(labels)) {
    for (const std::string_view code : kCodeNames) {
      Labels code_labels = labels;
      code_labels["grpc_code"] = code;
      handled.emplace_back(handled_family.Add(code_labels));
    }
  }

  Counter& started;
  Histogram& seconds;
  Counter& received;
  Counter& sent;
  // Indexed by CodeIndex().
  std::vector<std::reference_wrapper<Counter>> handled;
};

struct OperationSeries {
  Counter& elements;
  Histogram& seconds;
};

// As go-grpc-prometheus spells it.
std::string GrpcType(wire::Transfer transfer) {
  return transfer == wire::Transfer::kStream ? "bidi_stream" : "unary";
}

std::vector<MethodSeries> MakeMethodSeries(prometheus::Registry& registry) {
  auto& started =
      BuildCounter().Name("grpc_server_started_total").Help("Calls received.").Register(registry);
  auto& handled = BuildCounter()
                      .Name("grpc_server_handled_total")
                      .Help("Calls completed, by status code.")
                      .Register(registry);
  auto& seconds = BuildHistogram()
                      .Name("grpc_server_handling_seconds")
                      .Help("Time from the arrival of a call to its answer.")
                      .Register(registry);
  auto& received = BuildCounter()
                       .Name("grpc_server_msg_received_total")
                       .Help("Request messages received.")
                       .Register(registry);
  auto& sent = BuildCounter()
                   .Name("grpc_server_msg_sent_total")
                   .Help("Response messages sent.")
                   .Register(registry);
  std::vector<MethodSeries> methods;
  for (const wire::Method& method : wire::kMethods) {
    const Labels labels = {{"grpc_type", GrpcType(method.transfer)},
                           {"grpc_service", std::string(wire::kServiceName)},
                           {"grpc_method", std::string(method.name)}};
    methods.emplace_back(labels, started, handled, seconds, received, sent);
  }
  return methods;
}

std::vector<OperationSeries> MakeOperationSeries(prometheus::Registry& registry) {
  auto& elements = BuildCounter()
                       .Name("quantd_elements_total")
                       .Help("Tensor elements computed.")
                       .Register(registry);
  auto& seconds = BuildHistogram()
                      .Name("quantd_kernel_seconds")
                      .Help("Time spent computing, without parsing and sending.")
                      .Register(registry);
  std::vector<OperationSeries> operations;
  wire::ForEachOperation([&]<typename Operation>() {
    const Labels labels = {{"operation", std::string(Operation::kLabel)}};
    operations.push_back(
        {.elements = elements.Add(labels), .seconds = seconds.Add(labels, kKernelBuckets)});
  });
  return operations;
}

Family<Counter>& MakeTensorBytesFamily(prometheus::Registry& registry) {
  return BuildCounter()
      .Name("quantd_tensor_bytes_total")
      .Help("Bytes of tensors received and returned, by direction and transport.")
      .Register(registry);
}

Gauge& MakeGauge(const char* name, const char* help, prometheus::Registry& registry) {
  return BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

// Returns a counter for each of `reasons`, in their order.
std::vector<std::reference_wrapper<Counter>> MakeCounters(std::span<const std::string_view> reasons,
                                                          const std::string& name,
                                                          const std::string& help,
                                                          prometheus::Registry& registry) {
  auto& family = BuildCounter().Name(name).Help(help).Register(registry);
  std::vector<std::reference_wrapper<Counter>> counters;
  counters.reserve(reasons.size());
  for (const std::string_view reason : reasons) {
    counters.emplace_back(family.Add({{"reason", std::string(reason)}}));
  }
  return counters;
}

// Counters of rejected requests, one per reason.
class RejectedSeries {
 public:
  explicit RejectedSeries(prometheus::Registry& registry)
      : family_(BuildCounter()
                    .Name("quantd_rejected_requests_total")
                    .Help("Requests refused, by the reason in ErrorInfo.")
                    .Register(registry)) {
    for (const core::NamedErrorReason& reason : core::kErrorReasons) {
      counters_.emplace(reason.name, family_.Add({{"reason", std::string(reason.name)}}));
    }
  }

  void Increment(const std::string& reason) {
    const auto counter = counters_.find(reason);
    assert(counter != counters_.end());
    counter->second.get().Increment();
  }

 private:
  Family<Counter>& family_;
  std::map<std::string, std::reference_wrapper<Counter>, std::less<>> counters_;
};

// The metrics page itself, with the names of prometheus-cpp's own HTTP server.
struct PageSeries {
  explicit PageSeries(prometheus::Registry& registry)
      : bytes(BuildCounter()
                  .Name("exposer_transferred_bytes_total")
                  .Help("Bytes of metrics pages.")
                  .Register(registry)
                  .Add({})),
        scrapes(BuildCounter()
                    .Name("exposer_scrapes_total")
                    .Help("Metrics pages served.")
                    .Register(registry)
                    .Add({})),
        latencies(BuildSummary()
                      .Name("exposer_request_latencies")
                      .Help("Time to make a metrics page, in microseconds.")
                      .Register(registry)
                      .Add({}, Summary::Quantiles{{0.5, 0.05}, {0.9, 0.01}, {0.99, 0.001}})) {}

  Counter& bytes;
  Counter& scrapes;
  Summary& latencies;
};

}  // namespace

struct Metrics::Impl {
  Impl(std::string_view simd_target, const ServerLimits& limits, const Log* dropping_log)
      : log(dropping_log) {
    BuildGauge()
        .Name("quantd_build_info")
        .Help("Always 1; the labels describe the build.")
        .Register(registry)
        .Add({{"version", std::string(kVersion)},
              {"revision", std::string(kRevision)},
              {"simd_target", std::string(simd_target)}})
        .Set(1);
    MakeGauge("quantd_max_in_flight_bytes",
              "Limit for the bytes of requests in flight (--max-in-flight-bytes).", registry)
        .Set(static_cast<double>(limits.max_in_flight_bytes));
    MakeGauge("quantd_max_message_bytes",
              "Limit for the bytes of a request message (--max-message-bytes).", registry)
        .Set(static_cast<double>(limits.max_message_bytes));
    MakeGauge("quantd_memory_limit_bytes",
              "How much memory the process may use (--memory-limit); 0 if that is not known.",
              registry)
        .Set(static_cast<double>(limits.memory_limit_bytes));
    MakeGauge("quantd_max_connections", "Limit for open connections (--max-connections).", registry)
        .Set(static_cast<double>(limits.max_connections));
    MakeGauge("quantd_worker_threads", "Number of threads that compute (--worker-threads).",
              registry)
        .Set(static_cast<double>(limits.worker_threads));
  }

  MethodSeries& Of(const wire::Method& method) {
    return methods.at(static_cast<std::size_t>(&method - wire::kMethods.data()));
  }

  // The log counts by itself. Text() may be called by several threads.
  void CountDroppedLogLines() {
    if (log != nullptr) {
      const core::MutexLock lock(&mutex);
      log_lines_dropped.Increment(static_cast<double>(log->dropped_lines()) -
                                  log_lines_dropped.Value());
    }
  }

  const Log* const log;
  prometheus::Registry registry;
  std::vector<MethodSeries> methods = MakeMethodSeries(registry);
  std::vector<OperationSeries> operations = MakeOperationSeries(registry);
  Family<Counter>& tensor_bytes = MakeTensorBytesFamily(registry);
  Counter& bytes_in = tensor_bytes.Add({{"direction", "in"}, {"transport", "grpc"}});
  Counter& bytes_out = tensor_bytes.Add({{"direction", "out"}, {"transport", "grpc"}});
  std::function<LoadFigures()> load;
  Gauge& in_flight_requests =
      MakeGauge("quantd_in_flight_requests", "Requests being processed.", registry);
  Gauge& in_flight_bytes =
      MakeGauge("quantd_in_flight_bytes",
                "Memory reserved for requests, their answers and what streams keep.", registry);
  Gauge& waiting_requests =
      MakeGauge("quantd_waiting_requests", "Messages that wait for memory.", registry);
  RejectedSeries rejected{registry};
  PageSeries page{registry};
  Gauge& connections =
      MakeGauge("quantd_connections", "Open connections of gRPC clients.", registry);
  Counter& accepted_connections = BuildCounter()
                                      .Name("quantd_accepted_connections_total")
                                      .Help("Connections accepted.")
                                      .Register(registry)
                                      .Add({});
  std::vector<std::reference_wrapper<Counter>> refused_connections =
      MakeCounters(kConnectionRefusalNames, "quantd_refused_connections_total",
                   "Connections closed at once, by reason.", registry);
  std::vector<std::reference_wrapper<Counter>> broken_off_connections = MakeCounters(
      kConnectionBreakNames, "quantd_broken_off_connections_total",
      "Connections ended by the server because of what they cost, by reason.", registry);
  Family<Counter>& reloads = BuildCounter()
                                 .Name("quantd_file_reloads_total")
                                 .Help(
                                     "Times that certificates, tokens or a policy had changed, by "
                                     "whether they could be used.")
                                 .Register(registry);
  Counter& files_reloaded = reloads.Add({{"result", "used"}});
  Counter& files_not_reloaded = reloads.Add({{"result", "refused"}});
  core::Mutex mutex;
  Counter& log_lines_dropped ABSL_GUARDED_BY(mutex) =
      BuildCounter()
          .Name("quantd_log_lines_dropped_total")
          .Help("Log lines lost because nobody took them.")
          .Register(registry)
          .Add({});
};

Metrics::Metrics(std::string_view simd_target, const ServerLimits& limits, const Log* log)
    : impl_(std::make_unique<Impl>(simd_target, limits, log)) {}
Metrics::~Metrics() = default;

void Metrics::CallStarted(const wire::Method& method) { impl_->Of(method).started.Increment(); }

void Metrics::MessageReceived(const wire::Method& method) {
  impl_->Of(method).received.Increment();
}

void Metrics::MessageSent(const wire::Method& method) { impl_->Of(method).sent.Increment(); }

void Metrics::CallHandled(const wire::Method& method, const absl::Status& status,
                          Seconds duration) {
  MethodSeries& series = impl_->Of(method);
  series.handled[CodeIndex(status.code())].get().Increment();
  series.seconds.Observe(duration.count());
  if (const auto detail = core::GetErrorDetail(status); detail.has_value()) {
    impl_->rejected.Increment(detail->reason);
  }
}

void Metrics::AccessDenied(const absl::Status& status) {
  const auto detail = core::GetErrorDetail(status);
  assert(detail.has_value());
  impl_->rejected.Increment(detail->reason);
}

void Metrics::FilesReloaded(bool used) {
  (used ? impl_->files_reloaded : impl_->files_not_reloaded).Increment();
}

void Metrics::SetCertificateExpiry(std::chrono::system_clock::time_point expiry) {
  BuildGauge()
      .Name("quantd_certificate_expiry_timestamp_seconds")
      .Help("When the server's certificate expires, in seconds since 1970.")
      .Register(impl_->registry)
      .Add({})
      .Set(Seconds(expiry.time_since_epoch()).count());
}

void Metrics::KernelRun(std::size_t operation, Seconds duration, const KernelTensors& tensors) {
  const OperationSeries& series = impl_->operations.at(operation);
  series.seconds.Observe(duration.count());
  series.elements.Increment(static_cast<double>(tensors.elements));
  impl_->bytes_in.Increment(static_cast<double>(tensors.bytes_in));
  impl_->bytes_out.Increment(static_cast<double>(tensors.bytes_out));
}

void Metrics::ReadLoadFrom(std::function<LoadFigures()> source) { impl_->load = std::move(source); }

void Metrics::ConnectionAccepted() { impl_->accepted_connections.Increment(); }

void Metrics::ConnectionRefused(ConnectionRefusal refusal) {
  impl_->refused_connections.at(static_cast<std::size_t>(refusal)).get().Increment();
}

void Metrics::ConnectionBrokenOff(ConnectionBreak reason) {
  impl_->broken_off_connections.at(static_cast<std::size_t>(reason)).get().Increment();
}

void Metrics::SetOpenConnections(std::size_t number) {
  impl_->connections.Set(static_cast<double>(number));
}

void Metrics::PageServed(std::size_t bytes, Seconds duration) {
  impl_->page.bytes.Increment(static_cast<double>(bytes));
  impl_->page.scrapes.Increment();
  impl_->page.latencies.Observe(std::chrono::duration<double, std::micro>(duration).count());
}

std::string Metrics::Text() const {
  impl_->CountDroppedLogLines();
  if (impl_->load != nullptr) {
    const LoadFigures load = impl_->load();
    impl_->in_flight_requests.Set(static_cast<double>(load.requests));
    impl_->in_flight_bytes.Set(static_cast<double>(load.bytes));
    impl_->waiting_requests.Set(static_cast<double>(load.waiting));
  }
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace quantd::server
