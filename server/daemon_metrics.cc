// The figures that the daemon shows to Prometheus. Every label has a bounded number of values: the
// operations, the endings, the doors, and the nodes that this one knows.
#include <cstdint>
#include <string>
#include <string_view>

#include "server/daemon.h"
#include "server/metrics.h"
#include "server/process_figures.h"

namespace eddy::server {

namespace {

void AddLatencies(MetricsPage* page, const Latencies& latencies) {
  page->Family("eddy_request_seconds", "histogram",
               "Time from the arrival of a client's request at this node until its reply was on "
               "its way, by what was asked and how it ended.");
  for (size_t operation = 0; operation < kOperationNames.size(); ++operation) {
    for (size_t ending = 0; ending < kEndingNames.size(); ++ending) {
      page->Sample({{"operation", kOperationNames[operation]}, {"result", kEndingNames[ending]}},
                   latencies.Of(static_cast<Operation>(operation), static_cast<Ending>(ending)));
    }
  }
}

void AddEngine(MetricsPage* page, storage::Engine* engine) {
  const storage::EngineUsage usage = engine->Usage();
  page->Gauge("eddy_engine_cache_bytes",
              "Blocks of files that are kept in memory, and the memtables charged to the same "
              "limit.",
              usage.cache_bytes);
  page->Gauge("eddy_engine_cache_limit_bytes", "The limit of eddy_engine_cache_bytes.",
              usage.cache_bytes_max);
  page->Gauge("eddy_engine_memtable_bytes", "What is written and not yet in files.",
              usage.memtable_bytes);
  page->Gauge("eddy_engine_index_bytes", "Indexes and filters outside of the cache.",
              usage.index_bytes);
  page->Gauge("eddy_engine_files_bytes", "Files of rows, without the write-ahead log.",
              usage.files_bytes);
  page->Gauge("eddy_engine_compaction_pending_bytes",
              "What is still to be rewritten before the files are in order.",
              usage.compaction_bytes);
  page->Gauge("eddy_engine_compactions_running", "Compactions under way.", usage.compactions);
  page->Gauge("eddy_engine_flushes_running", "Flushes of memtables under way.", usage.flushes);
  const storage::EngineHealth health = engine->Health();
  page->Gauge("eddy_engine_stalled", "Whether writes wait for flushes and compactions.",
              health.stalled ? 1 : 0);
  page->Gauge("eddy_engine_refuses_writes", "Whether the engine has failed and takes no writes.",
              health.refuses_writes ? 1 : 0);
}

// By the names that Prometheus' own clients use.
void AddProcess(MetricsPage* page) {
  page->CounterSeconds("process_cpu_seconds_total", "Processor time of all threads.",
                       ProcessorMicroseconds());
  if (const auto bytes = ResidentBytes()) {
    page->Gauge("process_resident_memory_bytes", "Memory of the process that is in the machine's.",
                *bytes);
  }
  if (const auto files = OpenFiles()) {
    page->Gauge("process_open_fds", "Files and sockets that are open.", *files);
  }
  if (const auto files = OpenFilesMax()) {
    page->Gauge("process_max_fds", "How many may be open.", *files);
  }
}

}  // namespace

std::string Daemon::Metrics() {
  MetricsPage page;
  AddStatus(&page, Status());
  AddLatencies(&page, latencies_);
  page.Family("eddy_loop_busy_seconds", "histogram",
              "Time that the event loop was busy before it looked for new input again: so long "
              "everything else waited.");
  page.Sample({}, loop_meter_.busy_us());
  page.Family("eddy_sync_seconds", "histogram", "Time that a sync of the write-ahead log took.");
  page.Sample({}, runner_->sync_us());

  AddProcess(&page);
  AddEngine(&page, engine_.get());
  if (config_.engine == EngineKind::kRocksDb) {
    if (const auto disk = DiskOf(config_.data_dir)) {
      page.Gauge("eddy_disk_bytes", "Size of the file system of the data directory.", disk->bytes);
      page.Gauge("eddy_disk_free_bytes", "What is free of it for this process.", disk->bytes_free);
    }
  }
  page.Gauge("eddy_record_cache_bytes", "Records that are kept in memory in front of the engine.",
             runner_->cache().bytes());
  page.Gauge("eddy_record_cache_records", "How many records those are.",
             runner_->cache().records());

  page.Family("eddy_queue_length", "gauge", "What waits: store verbs for a reader, or for a sync.");
  page.Sample({{"queue", "reads"}}, runner_->reads_waiting());
  page.Sample({{"queue", "syncs"}}, runner_->writes_waiting());
  const auto tables = node_->Tables();
  page.Family("eddy_table_entries", "gauge", "What the node keeps, of each kind that has a bound.");
  for (const node::TableSize& each : tables) page.Sample({{"table", each.table}}, each.size);
  page.Family("eddy_table_entries_limit", "gauge", "The bounds of eddy_table_entries.");
  for (const node::TableSize& each : tables) page.Sample({{"table", each.table}}, each.most);
  page.Gauge("eddy_memory_limit_bytes", "What the process is to keep to (memory_limit).",
             *config_.memory_limit_bytes);
  page.Family("eddy_request_memory_bytes", "gauge",
              "What clients' requests hold, before they are begun, and from then on until the "
              "last byte of their replies.");
  page.Sample({{"of", "taken"}}, admission_->memory().taken.bytes());
  page.Sample({{"of", "under_way"}}, admission_->memory().under_way.bytes());
  page.Gauge("eddy_request_memory_limit_bytes",
             "Of each of both: with as much, clients are slowed down, and then refused.",
             admission_->memory().taken.bytes_max());
  page.Gauge("eddy_requests_parked", "Requests that wait for memory.", admission_->waiting());
  uint64_t unsent = 0;
  for (const auto& listener : listeners_) unsent += listener->unsent_bytes();
  page.Family("eddy_unsent_bytes", "gauge", "What the other sides have not taken yet.");
  page.Sample({{"to", "clients"}}, unsent);
  page.Sample({{"to", "peers"}}, transport_->unsent_bytes());
  page.Family("eddy_client_connections", "gauge", "Connections of clients, by door.");
  for (const auto& listener : listeners_) {
    page.Sample({{"door", listener->door()}}, listener->connections());
  }

  page.Gauge("eddy_background_in_flight", "Operations that nobody waits for.",
             node_->background_in_flight());
  page.Gauge("eddy_background_percent",
             "What of its rate background work may use now; less than 100 while clients feel it.",
             node_->background_percent());
  page.Gauge("eddy_transfers",
             "Comparisons with former owners that this node has to make before it holds what the "
             "newest layout gives it.",
             node_->fills());
  page.Gauge("eddy_transfers_done", "How many of them are made.", node_->filled());
  page.Gauge("eddy_handing_over", "Whether something is held here that others should hold.",
             node_->handed_over() ? 0 : 1);
  page.Family("eddy_hint_keys", "gauge", "Keys that are kept here for another node, by node.");
  AddHints(&page, [](const storage::HintUsage& usage) { return usage.rows; });
  page.Family("eddy_hint_bytes", "gauge", "Their bytes.");
  AddHints(&page, [](const storage::HintUsage& usage) { return usage.bytes; });
  return page.text();
}

void Daemon::AddHints(MetricsPage* page, uint64_t (*figure)(const storage::HintUsage&)) const {
  const ring::LayoutHistory* layouts = node_->layouts();
  for (const auto& [owner, usage] : runner_->hints().usage()) {
    const ring::Member* member = layouts == nullptr ? nullptr : layouts->newest().Find(owner);
    page->Sample({{"peer", member == nullptr ? owner.ToHex() : member->name}}, figure(usage));
  }
}

}  // namespace eddy::server
