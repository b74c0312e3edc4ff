// Many nodes' gossip on virtual time: packets are lost and delayed, nodes crash, restart, stop for
// a while or are slow, the network splits and heals. A run is a function of its seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "gossip/swim.h"

namespace eddy::gossip {

// A node found another one dead.
struct Death {
  MonotonicTime at;
  size_t observer = 0;
  size_t subject = 0;
  bool is_false = false;  // it runs
};

class Swarm {
 public:
  struct Options {
    size_t nodes = 3;
    uint64_t seed = 1;
    SwimOptions swim{};
    Duration delay_min = std::chrono::microseconds(100);
    Duration delay_max = std::chrono::milliseconds(5);
    uint64_t lost_permille = 0;
  };

  // All run and know each other.
  explicit Swarm(const Options& options);

  void Run(Duration time);
  MonotonicTime now() const { return now_; }
  Random* random() { return &random_; }

  size_t size() const { return nodes_.size(); }
  static NodeId IdOf(size_t node) { return NodeId{.high = 1, .low = node + 1}; }
  bool IsUp(size_t node) const { return nodes_[node].swim != nullptr; }
  // Requires that it runs.
  Swim& At(size_t node) { return *nodes_[node].swim; }

  void Crash(size_t node);
  struct Start {
    bool elsewhere = false;                              // at another address
    std::optional<uint64_t> incarnation = std::nullopt;  // greater than the last one if not given
  };
  // Requires that it does not run. It is introduced again and again while it does not know all.
  void Restart(size_t node, Start start);
  void Restart(size_t node) { Restart(node, Start{}); }
  void Leave(size_t node) {
    Call(node, [&](Swim& swim) { swim.Leave(now_); });
  }
  // It does nothing for that long, and then what it has missed.
  void Pause(size_t node, Duration time) { nodes_[node].paused_until = now_ + time; }
  // It handles whatever reaches it that late, until told otherwise.
  void SlowDown(size_t node, Duration late) { nodes_[node].late = late; }
  // Nodes of different sides do not hear each other.
  void SetSide(size_t node, int side) { nodes_[node].side = side; }
  void LosePermille(uint64_t permille) { options_.lost_permille = permille; }

  const std::vector<Death>& deaths() const { return deaths_; }
  size_t FalseDeaths() const;
  // What every node that runs and has not left believes is true: empty, or the first error.
  std::string Disagreement();
  // The sum over the lives of all nodes.
  uint64_t Counted(Count count) const;
  uint64_t events() const { return events_; }

 private:
  struct Node {
    std::unique_ptr<Swim> swim;  // null: it is down
    uint64_t life = 0;
    uint64_t incarnation = 0;
    Address address;
    int side = 0;
    Duration late{};
    MonotonicTime paused_until;
    MonotonicTime wake_at = MonotonicTime::max();  // the earliest Tick that is in the queue
  };
  // Ordered: packets that have arrived are handled before time passes.
  enum class Kind : uint8_t { kPacket, kSync, kTick, kIntroduce };
  struct Happening {
    MonotonicTime at;
    Kind kind = Kind::kPacket;
    uint64_t serial = 0;
    size_t node = 0;
    uint64_t life = 0;
    Address from{};   // of a packet
    size_t with = 0;  // of a sync
    std::string bytes{};

    bool IsAfter(const Happening& other) const;
  };

  template <class Do>
  void Call(size_t node, Do what) {
    what(*nodes_[node].swim);
    Perform(node);
  }
  void Perform(size_t node);
  void SendPackets(size_t from);
  void Push(Happening happening);
  void Happen(Happening happening);
  void Sync(size_t node, size_t with);
  // To one that it does not know, as a caller does who knows the layout.
  void Introduce(size_t node);
  void Begin(size_t node);
  std::optional<size_t> NodeAt(const Address& address) const;
  Duration Delay();

  Options options_;
  Random random_;
  MonotonicTime now_{};
  std::vector<Node> nodes_;
  std::vector<std::optional<size_t>> by_port_;
  uint16_t next_port_ = 1;
  std::vector<Happening> queue_;  // a heap
  uint64_t serial_ = 0;
  uint64_t events_ = 0;
  std::vector<Death> deaths_;
  Counters counted_;  // in lives that have ended
  Effects effects_;   // scratch
};

}  // namespace eddy::gossip
