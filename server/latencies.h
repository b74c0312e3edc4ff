// How long requests of this node's clients took, from their arrival until their replies are on
// their way, by what was asked and how it ended: a fixed table of histograms, so recording one is
// an addition and never an allocation. Loop thread only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/histogram.h"
#include "base/status.h"
#include "base/time.h"
#include "wire/client_message.h"

namespace eddy::server {

enum class Operation : uint8_t { kGet, kPut, kDelete };
inline constexpr std::array<std::string_view, 3> kOperationNames = {"get", "put", "delete"};

// As a client has to take it: docs/HTTP.md has what to do for each.
enum class Ending : uint8_t {
  kOk,           // also where nothing is stored under the key
  kUnavailable,  // not done
  kBusy,         // not done: a queue is full
  kTimeout,      // a read with too few answers
  kUnknown,      // a write that may or may not be stored
  kRefused,      // the request was wrong, or over a limit
  kError,        // storage failed
};
inline constexpr std::array<std::string_view, 7> kEndingNames = {
    "ok", "unavailable", "busy", "timeout", "unknown", "refused", "error"};

Operation OperationOf(const wire::ClientRequest& request);
Ending EndingOf(const std::optional<Error>& error);

class Latencies {
 public:
  // One more has ended in this turn of the loop; its reply leaves at the end of the turn.
  void Ended(Operation operation, Ending ending, MonotonicTime since) {
    ended_.push_back({operation, ending, since});
  }
  // Whether this turn has something to record, and so needs the time.
  bool any_ended() const { return !ended_.empty(); }
  // The turn has ended, and its replies have been handed to the system.
  void EndTurn(MonotonicTime now);

  // In microseconds.
  const Histogram& Of(Operation operation, Ending ending) const {
    return histograms_[static_cast<size_t>(operation)][static_cast<size_t>(ending)];
  }

 private:
  struct EndedOne {
    Operation operation;
    Ending ending;
    MonotonicTime since;
  };

  std::array<std::array<Histogram, kEndingNames.size()>, kOperationNames.size()> histograms_{};
  std::vector<EndedOne> ended_;  // in this turn; keeps its room
};

}  // namespace eddy::server
