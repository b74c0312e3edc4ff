#include "server/metrics.h"

#include <fmt/core.h>

namespace eddy::server {

namespace {

// Bounds of the buckets of every histogram, as powers of two of a microsecond: 64 us to 8.4 s.
constexpr unsigned kLeastBits = 6;
constexpr unsigned kMostBits = 23;

// A label's value, escaped as Prometheus wants it.
std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || c == '"') escaped += '\\';
    if (c == '\n') {
      escaped += "\\n";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string Seconds(uint64_t microseconds) {
  return fmt::format("{}.{:06}", microseconds / 1'000'000, microseconds % 1'000'000);
}

}  // namespace

void MetricsPage::Family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void MetricsPage::Line(std::string_view suffix, Labels labels, std::string_view more,
                       std::string_view value) {
  std::string inside;
  for (const auto& [name, text] : labels) {
    inside += fmt::format("{}{}=\"{}\"", inside.empty() ? "" : ",", name, Escaped(text));
  }
  if (!more.empty()) inside += fmt::format("{}{}", inside.empty() ? "" : ",", more);
  text_ += inside.empty() ? fmt::format("{}{} {}\n", name_, suffix, value)
                          : fmt::format("{}{}{{{}}} {}\n", name_, suffix, inside, value);
}

void MetricsPage::Sample(Labels labels, uint64_t value) {
  Line("", labels, "", fmt::format("{}", value));
}

void MetricsPage::Sample(Labels labels, const Histogram& microseconds) {
  for (unsigned bits = kLeastBits; bits <= kMostBits; ++bits) {
    Line("_bucket", labels, fmt::format("le=\"{}\"", Seconds(uint64_t{1} << bits)),
         fmt::format("{}", microseconds.CountBelowPowerOfTwo(bits)));
  }
  Line("_bucket", labels, "le=\"+Inf\"", fmt::format("{}", microseconds.count()));
  Line("_sum", labels, "", Seconds(microseconds.sum()));
  Line("_count", labels, "", fmt::format("{}", microseconds.count()));
}

void MetricsPage::Gauge(std::string_view name, std::string_view help, uint64_t value) {
  Family(name, "gauge", help);
  Sample(value);
}

void MetricsPage::Counter(std::string_view name, std::string_view help, uint64_t value) {
  Family(name, "counter", help);
  Sample(value);
}

void MetricsPage::CounterSeconds(std::string_view name, std::string_view help,
                                 uint64_t microseconds) {
  Family(name, "counter", help);
  Line("", {}, "", Seconds(microseconds));
}

void AddStatus(MetricsPage* page, const wire::NodeStatus& status) {
  page->Family("eddy_node_info", "gauge", "Always 1: which node this is.");
  page->Sample({{"cluster", status.cluster}, {"node", status.name}, {"software", status.software}},
               1);
  page->Gauge("eddy_ready", "Whether this node serves requests.", status.ready ? 1 : 0);
  page->Gauge("eddy_uptime_seconds", "Time since the start of the process.", status.uptime_seconds);
  page->Gauge("eddy_layout_version", "Version of the ring's layout by which reads go.",
              status.layout_version);
  page->Gauge("eddy_layout_newest", "Version of the newest layout; a greater one while data moves.",
              status.layout_newest);
  page->Gauge("eddy_partitions", "Partitions of the ring.", status.partitions);
  page->Gauge("eddy_partitions_owned", "Partitions of which this node is the owner.",
              status.partitions_owned);
  page->Gauge("eddy_keys_estimate", "Records held here, replicas and tombstones included.",
              status.keys_estimate);
  page->Gauge("eddy_data_bytes", "Bytes of records held here.", status.data_bytes);
  page->Gauge("eddy_operations_in_flight", "Operations that this node works on.",
              status.operations_in_flight);
  if (status.equal_seconds_ago) {
    page->Gauge("eddy_equal_seconds_ago",
                "Time since the least lately compared of what this node shares with other owners "
                "was found equal on both; absent while something never was since the start.",
                *status.equal_seconds_ago);
  }
  page->Family("eddy_peer_reachable", "gauge", "Whether messages to the member have a way.");
  for (const wire::MemberStatus& member : status.members) {
    if (member.id == status.node) continue;
    page->Sample({{"peer", member.name}, {"zone", member.zone}}, member.reachable ? 1 : 0);
  }
  for (const wire::Counter& counter : status.counters) {
    // Not a total, but how it is now.
    if (constexpr std::string_view kNow = "now_"; counter.name.starts_with(kNow)) {
      const std::string what = counter.name.substr(kNow.size());
      page->Gauge(fmt::format("eddy_{}", what), fmt::format("How much of {} there is now.", what),
                  counter.value);
      continue;
    }
    page->Counter(fmt::format("eddy_{}_total", counter.name),
                  fmt::format("Total of {} since the start.", counter.name), counter.value);
  }
}

}  // namespace eddy::server
