// What a node is told at its start: a TOML file, environment variables over it, and command line
// flags over both. A plain value, constant once it is complete. Every mistake is reported at once,
// those of a file with line and column, so that it is put right in one go.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "base/time.h"
#include "node/bucket.h"
#include "ring/member.h"
#include "ring/partition.h"
#include "server/memory_plan.h"
#include "server/seed.h"
#include "storage/store.h"

namespace eddy::server {

enum class EngineKind { kRocksDb, kMemory };
enum class LogFormat { kAuto, kText, kJson };  // kAuto: text on a terminal, JSON lines elsewhere

struct Config {
  std::string cluster = "eddy";
  std::vector<Seed> seeds;  // where other nodes may be found; empty: a cluster of one
  bool auto_join = true;    // whether nodes that ask are let in without an order
  unsigned partition_bits = ring::kPartitionBitsDefault;  // of a cluster that is founded here

  // [node]
  std::string name;  // required with seeds; "n1" without
  std::string zone;  // as the seed has it, if the node is one of its own seeds
  std::string host;  // where others reach it; the seed's host where not given
  uint32_t weight = 100;
  std::string replaces;  // the member, lost for ever, in whose place the node comes; empty: none
  std::string data_dir = "eddy-data";
  std::string pid_file;  // empty: none is written
  // Only by flag: whether clients may break the node's network (server/fault_table.h).
  bool fault_injection = false;

  // [doors]; 0: not opened
  std::string listen;  // the address at which they are opened; the host where not given
  // The seed's port where not given; 7401 for a node that is no seed; closed without seeds.
  std::optional<uint16_t> peer;
  uint16_t native = 7400;
  uint16_t resp = 7379;
  uint16_t http = 7480;

  // [storage]
  EngineKind engine = EngineKind::kRocksDb;
  storage::Durability durability = storage::Durability::kSync;
  // Of the whole process (server/memory_plan.h). Complete, it is set: where nothing is given, as
  // the machine has it.
  std::optional<uint64_t> memory_limit_bytes;
  uint64_t disk_reserve_percent =
      5;  // of the file system: with less free, what needs room is refused

  // [log]
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kAuto;

  // [limits]
  uint64_t value_bytes_max = kValueBytesMax;
  std::chrono::milliseconds deadline{2'000};
  std::chrono::milliseconds deadline_max{60'000};
  uint64_t connections_max = 10'000;  // a door
  uint64_t pipeline_max = 1'024;      // requests in flight a connection
  uint64_t operations_max = 65'536;   // requests in flight a node

  // [background]: what nobody waits for (node/background.h)
  uint64_t background_bytes_per_second = uint64_t{64} << 20;
  std::chrono::milliseconds foreground_p99_max{50};
  std::chrono::seconds anti_entropy_period{60};  // zero: never
  std::chrono::hours tree_age_max{7 * 24};       // zero: any age
  std::chrono::hours scrub_period{7 * 24};       // zero: only what is read for another reason
  std::chrono::minutes reap_after{60};           // zero: never
  // How much is kept for each node that cannot be reached (storage/hint_ledger.h).
  uint64_t hint_bytes_max = storage::HintLedger::kBytesMaxDefault;

  // [bucket_defaults], [bucket.NAME]
  node::BucketTable buckets;
};

struct ConfigError {
  std::string where;  // "eddy.toml:3:1", "EDDY_SEEDS", "--seeds", or empty
  std::string text;

  friend bool operator==(const ConfigError&, const ConfigError&) = default;
};

// "where: text", one a line.
std::string FormatErrors(const std::vector<ConfigError>& errors);

// Reads TOML over what `config` holds. `file` is only named in errors.
[[nodiscard]] std::vector<ConfigError> ReadConfig(std::string_view toml, std::string_view file,
                                                  Config* config);

// The variable that names the configuration file where --config does not.
inline constexpr std::string_view kConfigVariable = "EDDY_CONFIG";

// Reads each variable that begins with EDDY_ over what `config` holds. Its name is the key's with
// its section, in capitals: EDDY_CLUSTER, EDDY_STORAGE_DURABILITY, EDDY_BUCKET_DEFAULTS_N; and
// EDDY_BUCKET_carts_N, since buckets' names have both cases. One without a value counts as not set.
// `environment` holds "NAME=value".
[[nodiscard]] std::vector<ConfigError> ReadEnvironment(std::span<const std::string> environment,
                                                       Config* config);

// Fills in what follows from the rest (name, host, listen, peer port) and from the machine (the
// memory limit), and checks what no single key can tell: that seeds differ, that the doors of one
// host do, and that the memory is enough for the partitions.
[[nodiscard]] std::vector<ConfigError> CompleteConfig(Config* config,
                                                      uint64_t machine_memory_bytes = 0);

// What its memory is shared out by.
MemoryNeeds NeedsOf(const Config& config);

// What the texts of flags and keys mean; nullopt if nothing.
std::optional<storage::Durability> DurabilityFromText(std::string_view text);
// "256MiB", "64KiB", "1GiB", or plain bytes.
std::optional<uint64_t> BytesFromText(std::string_view text);

}  // namespace eddy::server
