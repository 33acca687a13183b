// Metrics of this process, as the operating system reports them.

#ifndef QUANTD_SERVER_TELEMETRY_PROCESS_METRICS_H_
#define QUANTD_SERVER_TELEMETRY_PROCESS_METRICS_H_

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <vector>

namespace quantd::server {

// Collects Prometheus' standard process_ metrics. They are read from /proc at each
// scrape; metrics that cannot be read are left out. Thread-safe.
class ProcessMetrics final : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_PROCESS_METRICS_H_
