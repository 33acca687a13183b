#include "server/telemetry/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>

namespace quantd::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily MakeFamily(const char* name, const char* help, MetricType type, double value) {
  MetricFamily family{.name = name, .help = help, .type = type, .metric = {ClientMetric{}}};
  if (type == MetricType::Counter) {
    family.metric.front().counter.value = value;
  } else {
    family.metric.front().gauge.value = value;
  }
  return family;
}

// Fields of /proc/self/stat, in its units (see proc(5)).
struct ProcessStat {
  double user_ticks = 0;
  double system_ticks = 0;
  double start_ticks = 0;
  double virtual_bytes = 0;
  double resident_pages = 0;
};

std::optional<ProcessStat> ReadProcessStat() {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  // The second field is the process's name in parentheses and may contain any
  // character; the third field follows the last parenthesis.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) {
    return std::nullopt;
  }
  std::istringstream fields(text.substr(name_end + 1));
  const auto skip = [&fields](int count) {
    std::string field;
    for (int i = 0; i < count; ++i) {
      fields >> field;
    }
  };
  ProcessStat stat;
  skip(11);  // 3..13
  fields >> stat.user_ticks >> stat.system_ticks;
  skip(6);  // 16..21
  fields >> stat.start_ticks >> stat.virtual_bytes >> stat.resident_pages;
  return fields ? std::optional(stat) : std::nullopt;
}

// When the machine started, in seconds since 1970.
std::optional<double> ReadBootTime() {
  std::ifstream file("/proc/stat");
  for (std::string key; file >> key;) {
    if (double seconds = 0; key == "btime" && file >> seconds) {
      return seconds;
    }
    std::string rest;
    std::getline(file, rest);
  }
  return std::nullopt;
}

std::optional<double> CountOpenFiles() {
  std::error_code error;
  const std::filesystem::directory_iterator files("/proc/self/fd", error);
  if (error) {
    return std::nullopt;
  }
  // Does not count the descriptor through which the folder is read.
  return static_cast<double>(std::distance(begin(files), end(files)) - 1);
}

std::optional<double> ReadOpenFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return std::nullopt;
  }
  return static_cast<double>(limit.rlim_cur);
}

void AddStat(const ProcessStat& stat, std::vector<MetricFamily>& families) {
  const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  const auto page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));
  families.push_back(MakeFamily("process_cpu_seconds_total",
                                "User and system CPU time spent in seconds.", MetricType::Counter,
                                (stat.user_ticks + stat.system_ticks) / ticks_per_second));
  families.push_back(MakeFamily("process_resident_memory_bytes", "Resident memory size in bytes.",
                                MetricType::Gauge, stat.resident_pages * page_bytes));
  families.push_back(MakeFamily("process_virtual_memory_bytes", "Virtual memory size in bytes.",
                                MetricType::Gauge, stat.virtual_bytes));
  if (const std::optional<double> boot_time = ReadBootTime(); boot_time.has_value()) {
    families.push_back(MakeFamily(
        "process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
        MetricType::Gauge, *boot_time + stat.start_ticks / ticks_per_second));
  }
}

}  // namespace

std::vector<MetricFamily> ProcessMetrics::Collect() const {
  std::vector<MetricFamily> families;
  if (const std::optional<ProcessStat> stat = ReadProcessStat(); stat.has_value()) {
    AddStat(*stat, families);
  }
  if (const std::optional<double> files = CountOpenFiles(); files.has_value()) {
    families.push_back(MakeFamily("process_open_fds", "Number of open file descriptors.",
                                  MetricType::Gauge, *files));
  }
  if (const std::optional<double> limit = ReadOpenFileLimit(); limit.has_value()) {
    families.push_back(MakeFamily("process_max_fds", "Maximum number of open file descriptors.",
                                  MetricType::Gauge, *limit));
  }
  return families;
}

}  // namespace quantd::server
