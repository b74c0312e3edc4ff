// Faults that a test asks for: what becomes of messages to and from other nodes' peer doors, and
// what is wrong with this node's own clock and disk. Every transport asks it before it lets
// something leave or arrive, if there is one; there is one only where the daemon was started for
// being broken (--enable-fault-injection). A peer is named by the address of its peer door, which
// is all that a datagram shows of it. Loop thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "base/time.h"

namespace eddy::server {

class FaultTable {
 public:
  enum class Direction : uint8_t { kOut, kIn };

  struct Rule {
    std::string host;  // numeric, as the peer's door is configured
    uint16_t port = 0;
    // Which of the two ways it holds for.
    bool out = true;
    bool in = true;
    bool drop = false;            // nothing passes
    uint32_t lose_per_mille = 0;  // so many are lost; what was sent before and after passes
    Duration delay{};             // what passes comes so much later
  };
  struct Verdict {
    bool drop = false;
    bool lose = false;  // this one message
    Duration delay{};
  };
  // Of the machine that the node believes to run on.
  struct Machine {
    std::chrono::milliseconds clock_offset{};  // of the wall clock, from the true one
    bool disk_full = false;                    // nothing of the disk is free

    friend bool operator==(const Machine&, const Machine&) = default;
  };
  struct Counters {
    uint64_t dropped = 0;
    uint64_t lost = 0;
    uint64_t delayed = 0;
  };

  static constexpr size_t kRulesMax = 256;
  static constexpr uint32_t kLosePerMilleMax = 1000;
  static constexpr Duration kDelayMax = std::chrono::seconds(10);
  static constexpr std::chrono::milliseconds kClockOffsetMax = std::chrono::hours(24);

  explicit FaultTable(Random random) : random_(random) {}

  // In place of all rules before. kInvalidArgument, and nothing is changed, for a limit exceeded.
  [[nodiscard]] Status Set(std::vector<Rule> rules);
  const std::vector<Rule>& rules() const { return rules_; }
  // Requires that the offset is at most kClockOffsetMax either way.
  void SetMachine(const Machine& machine) { machine_ = machine; }
  const Machine& machine() const { return machine_; }

  // Of one message. Where several rules fit, it is dropped or lost if one says so, and delayed by
  // the longest.
  Verdict Judge(std::string_view host, uint16_t port, Direction direction);
  // Whether no connection with that address can be made: nothing passes one of the two ways.
  bool Cuts(std::string_view host, uint16_t port) const;

  const Counters& counters() const { return counters_; }

 private:
  std::vector<Rule> rules_;
  Machine machine_;
  Random random_;
  Counters counters_;
};

}  // namespace eddy::server
