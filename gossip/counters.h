// What gossip counts. A list, so that every counter has one stable name and shows wherever counters
// are shown.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace eddy::gossip {

enum class Count : uint8_t {
  kPacketsSent,
  kPacketsReceived,
  kPacketsMalformed,
  kPacketsOfAnotherCluster,
  kPacketsMisdirected,
  kAnswersLate,
  kAnswersByConnection,
  kProbes,
  kProbesIndirect,
  kProbesFailed,
  kRelays,
  kRelaysRefused,
  kSuspicions,
  kDeaths,
  kRefutations,
  kIrrefutable,
  kMembersRefused,
  kStalls,
  kSyncsStarted,
  kSyncsMerged,
  kSyncsRefused,
};

inline constexpr std::array<std::string_view, 21> kCountNames = {
    "packets_sent",
    "packets_received",
    "packets_malformed",
    "packets_of_another_cluster",
    "packets_misdirected",
    "answers_late",
    "answers_by_connection",
    "probes",
    "probes_indirect",
    "probes_failed",
    "relays",
    "relays_refused",
    "suspicions",
    "deaths",
    "refutations",
    "irrefutable",
    "members_refused",
    "stalls",
    "syncs_started",
    "syncs_merged",
    "syncs_refused",
};

class Counters {
 public:
  void Add(Count count, uint64_t by = 1) { values_[static_cast<size_t>(count)] += by; }
  uint64_t Get(Count count) const { return values_[static_cast<size_t>(count)]; }
  const std::array<uint64_t, kCountNames.size()>& values() const { return values_; }

 private:
  std::array<uint64_t, kCountNames.size()> values_{};
};

}  // namespace eddy::gossip
