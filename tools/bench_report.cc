#include "tools/bench_report.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "tools/bench_page.h"
#include "tools/report_page.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

// In hundredths of a per cent: dense where the tail is.
constexpr uint32_t kQuantiles[] = {1'000, 2'000, 3'000, 4'000, 5'000, 6'000, 7'000, 7'500,
                                   8'000, 8'500, 9'000, 9'250, 9'500, 9'750, 9'800, 9'900,
                                   9'925, 9'950, 9'975, 9'980, 9'990, 9'995, 9'998, 9'999};
// A shorter silence than this is not worth a note to people.
constexpr Duration kPauseNoted = std::chrono::milliseconds(100);

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

uint64_t Milliseconds(Duration duration) {
  return static_cast<uint64_t>(duration.count() + 500) / 1000;
}

uint64_t Rounded(double value) { return static_cast<uint64_t>(value + 0.5); }

std::string ErrorsCell(const LoadResult& load) {
  std::string cell;
  for (const auto& [error_class, errors] : load.errors) {
    cell += fmt::format("{}{} {}", cell.empty() ? "" : ", ", NameOf(error_class),
                        FormatCount(errors.count));
  }
  return cell.empty() ? "none" : cell;
}

Json LatencyJson(const Histogram& latency_us) {
  return {{"operations", latency_us.count()},      {"p50_us", latency_us.Quantile(5'000)},
          {"p90_us", latency_us.Quantile(9'000)},  {"p99_us", latency_us.Quantile(9'900)},
          {"p999_us", latency_us.Quantile(9'990)}, {"max_us", latency_us.max()}};
}

Json SecondsJson(const std::vector<LoadSecond>& seconds) {
  Json series = Json::array();
  for (const LoadSecond& second : seconds) {
    series.push_back({{"seconds", Seconds(second.length)},
                      {"ops_per_s", second.OperationsPerSecond()},
                      {"p50_us", second.p50_us},
                      {"p99_us", second.p99_us},
                      {"max_us", second.max_us},
                      {"errors", second.errors}});
  }
  return series;
}

}  // namespace

BenchTable::BenchTable(const std::vector<BenchCell>& cells) : name_width_(2) {
  for (const BenchCell& cell : cells) {
    name_width_ = std::max(name_width_, cell.mix.name().size());
  }
}

std::string BenchTable::Header() const {
  return fmt::format(
      "{:<6}  {:<{}}  {:<7}{:>8}{:>7}{:>6}{:>11}{:>9}{:>9}{:>9}{:>9}{:>9}{:>10}{:>11}  {}", "door",
      "op", name_width_, "keys", "bytes", "conns", "depth", "ops/s", "p50 us", "p90 us", "p99 us",
      "p99.9", "max", "pause ms", "CPU us/op", "errors");
}

std::string BenchTable::Line(const BenchRow& row) const {
  const BenchCell& cell = row.cell;
  const Histogram& latency_us = row.load.latency_us;
  return fmt::format(
      "{:<6}  {:<{}}  {:<7}{:>8}{:>7}{:>6}{:>11}{:>9}{:>9}{:>9}{:>9}{:>9}{:>10}{:>11}  {}",
      NameOf(cell.door), cell.mix.name(), name_width_, NameOf(cell.mix.distribution()),
      cell.value_bytes, cell.connections, cell.depth,
      FormatCount(Rounded(row.load.OperationsPerSecond())), latency_us.Quantile(5'000),
      latency_us.Quantile(9'000), latency_us.Quantile(9'900), latency_us.Quantile(9'990),
      latency_us.max(), Milliseconds(row.load.longest_pause),
      row.server_us ? fmt::format("{:.1f}", *row.server_us) : "-", ErrorsCell(row.load));
}

std::vector<std::string> BenchTable::Notes(const BenchRow& row) {
  const LoadResult& load = row.load;
  std::vector<std::string> notes;
  if (load.latency_us_of.size() > 1) {
    for (const auto& [kind, latency_us] : load.latency_us_of) {
      notes.push_back(fmt::format("{}: {}, p50 {} us, p99 {} us, max {} us", NameOf(kind),
                                  FormatCount(latency_us.count()), latency_us.Quantile(5'000),
                                  latency_us.Quantile(9'900), latency_us.max()));
    }
  }
  if (row.cell.rate > 0) {
    notes.push_back(
        fmt::format("asked for {} a second: {} sent more than 1 ms late, {} not sent at all",
                    FormatCount(row.cell.rate), FormatCount(load.late), FormatCount(load.unsent)));
  }
  if (load.longest_pause >= kPauseNoted) {
    notes.push_back(fmt::format("nothing was answered for {} ms, from second {:.1f} on",
                                FormatCount(Milliseconds(load.longest_pause)),
                                Seconds(load.longest_pause_at)));
  }
  for (const auto& [error_class, errors] : load.errors) {
    notes.push_back(fmt::format("{}, {} times, the first: {}", NameOf(error_class),
                                FormatCount(errors.count), errors.example));
  }
  if (load.absent > 0) {
    notes.push_back(fmt::format("{} reads found nothing", FormatCount(load.absent)));
  }
  return notes;
}

std::string BenchSecondLine(size_t second, const LoadSecond& load) {
  return fmt::format("{:>4} s {:>11} ops/s   p50 {:>8} us   p99 {:>8} us   {} {}", second,
                     FormatCount(Rounded(load.OperationsPerSecond())), load.p50_us, load.p99_us,
                     FormatCount(load.errors), load.errors == 1 ? "error" : "errors");
}

Json BenchRowJson(const BenchRow& row) {
  const BenchCell& cell = row.cell;
  const LoadResult& load = row.load;
  Json json;
  json["door"] = NameOf(cell.door);
  json["op"] = cell.mix.name();
  json["distribution"] = NameOf(cell.mix.distribution());
  json["value_bytes"] = cell.value_bytes;
  json["connections"] = cell.connections;
  json["depth"] = cell.depth;
  if (cell.rate > 0) json["rate"] = cell.rate;
  json["ops_per_s"] = load.OperationsPerSecond();
  json.update(LatencyJson(load.latency_us));
  if (row.server_us) json["server_us"] = *row.server_us;
  json["absent"] = load.absent;
  json["errors"] = Json::object();
  json["error_examples"] = Json::object();
  for (const auto& [error_class, errors] : load.errors) {
    json["errors"][std::string(NameOf(error_class))] = errors.count;
    json["error_examples"][std::string(NameOf(error_class))] = errors.example;
  }
  if (cell.rate > 0) {
    json["late"] = load.late;
    json["unsent"] = load.unsent;
  }
  json["longest_pause_ms"] = Milliseconds(load.longest_pause);
  json["longest_pause_at_s"] = Seconds(load.longest_pause_at);
  for (const auto& [kind, latency_us] : load.latency_us_of) {
    json["kinds"][std::string(NameOf(kind))] = LatencyJson(latency_us);
  }
  json["quantiles"] = Json::array();
  for (const uint32_t per_myriad : kQuantiles) {
    json["quantiles"].push_back({per_myriad / 10'000.0, load.latency_us.Quantile(per_myriad)});
  }
  json["each_second"] = SecondsJson(load.seconds);
  return json;
}

std::string BenchPage(const Json& rows) {
  return ReportPage(kBenchPage, {{"version", EDDY_VERSION}, {"rows", rows}});
}

}  // namespace eddy::tools
