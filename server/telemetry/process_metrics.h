// What the operating system knows of this process, as metrics.

#ifndef QUANTD_SERVER_TELEMETRY_PROCESS_METRICS_H_
#define QUANTD_SERVER_TELEMETRY_PROCESS_METRICS_H_

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <vector>

namespace quantd::server {

// Prometheus' standard process_ metrics, read from /proc at each scrape; those
// that cannot be read are left out. Safe to use from several threads.
class ProcessMetrics final : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_PROCESS_METRICS_H_
