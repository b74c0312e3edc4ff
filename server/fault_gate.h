// One way of one peer connection under the fault table. A stream of messages has no gaps and keeps
// its order, so a message that was dropped or lost ends the connection, as soon as anything could
// follow it; until then the connection stands there in silence, as one over a cut cable does.
// Loop thread only.
#pragma once

#include <deque>
#include <optional>

#include "base/time.h"
#include "server/fault_table.h"
#include "wire/peer_message.h"

namespace eddy::server {

class FaultGate {
 public:
  enum class Way : uint8_t {
    kPass,
    kKept,     // it comes out of Next later
    kDropped,  // and what follows will be, too, or will break the connection
    kBreak,    // the connection has to end
  };
  // Beyond so many kept the connection ends.
  static constexpr size_t kKeptMax = 100'000;

  // Moves the message away if it keeps it.
  Way Admit(const FaultTable::Verdict& verdict, MonotonicTime now, wire::PeerMessage* message);
  // The next one of those kept whose time has come.
  std::optional<wire::PeerMessage> Next(MonotonicTime now);
  // Something was dropped.
  bool has_gap() const { return has_gap_; }
  // The connection is another one.
  void Reset();

 private:
  struct Kept {
    MonotonicTime due;
    wire::PeerMessage message;
  };
  std::deque<Kept> kept_;
  bool has_gap_ = false;
};

}  // namespace eddy::server
