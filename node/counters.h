// What a node counts. A list, so that every counter has one stable name and shows wherever counters
// are shown.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace eddy::node {

enum class Count : uint8_t {
  kGets,
  kPuts,
  kDeletes,
  kForwards,
  kNotDone,
  kUnknownOutcomes,
  kReadTimeouts,
  kReadsDiverged,
  kReadRepairs,
  kHedges,
  kLateReplies,
  kRetriesRecognised,
  kReplicaReads,
  kReplicaReadsSame,
  kReplicaWrites,
  kDroppedTooLate,
  kRefusedBusy,
  kRefusedMalformed,
  kRefusedStranger,
  kStoreErrors,
  kHistoriesBegun,
  kLeasesGranted,
  kLeasesRefused,
  kActorsTaken,
  kHintsSent,
  kHintsKept,
  kHintsDelivered,
  kHintsCorrupt,
  kTreesBuilt,
  kSyncsEqual,
  kSyncsLevelled,
  kSyncsFruitless,
  kSyncsFailed,
  kSyncPulled,
  kSyncPushed,
  kClustersFounded,
  kLayoutBallots,
  kLayoutsChosen,
  kLayoutsForced,
  kLayoutsRefused,
  kHandedOver,
  kReaped,
  kCrowdedWrites,
  kRotFound,
  kMended,
  kRestores,
};

inline constexpr std::array<std::string_view, 46> kCountNames = {
    "gets",
    "puts",
    "deletes",
    "forwards",
    "not_done",
    "unknown_outcomes",
    "read_timeouts",
    "reads_diverged",
    "read_repairs",
    "hedges",
    "late_replies",
    "retries_recognised",
    "replica_reads",
    "replica_reads_same",
    "replica_writes",
    "dropped_too_late",
    "refused_busy",
    "refused_malformed",
    "refused_strangers",
    "store_errors",
    "histories_begun",
    "leases_granted",
    "leases_refused",
    "actors_taken",
    "hints_sent",
    "hints_kept",
    "hints_delivered",
    "hints_corrupt",
    "trees_built",
    "syncs_equal",
    "syncs_levelled",
    "syncs_fruitless",
    "syncs_failed",
    "sync_pulled",
    "sync_pushed",
    "clusters_founded",
    "layout_ballots",
    "layouts_chosen",
    "layouts_forced",
    "layouts_refused",
    "handed_over",
    "tombstones_reaped",
    "crowded_writes",
    "bad_records_found",
    "partitions_mended",
    "restores",
};

class NodeCounters {
 public:
  void Add(Count count, uint64_t by = 1) { values_[static_cast<size_t>(count)] += by; }
  uint64_t Get(Count count) const { return values_[static_cast<size_t>(count)]; }
  const std::array<uint64_t, kCountNames.size()>& values() const { return values_; }

 private:
  std::array<uint64_t, kCountNames.size()> values_{};
};

}  // namespace eddy::node
