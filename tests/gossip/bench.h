// A workbench for one node's gossip: time is set by hand, and the other members are played by the
// test, packet by packet. Whatever the node sent, asked for or found out waits here until it is
// taken.
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "gossip/state_sync.h"
#include "gossip/swim.h"
#include "tests/gossip/members.h"

namespace eddy::gossip {

inline constexpr std::string_view kBenchCluster = "bench";

class Bench {
 public:
  struct Sent {
    Address to;
    Packet packet;
  };

  // Member 1 of so many, all of incarnation 1, known to each other. No syncs and no contacts with
  // the gone unless the options say so.
  explicit Bench(uint64_t members, SwimOptions options = Quiet())
      : swim_(options, kBenchCluster, Member(1), Random(7), now_) {
    StateSync all{.sender = Peer(99), .members = {}};
    for (uint64_t number = 1; number <= members; ++number) all.members.push_back(Member(number));
    EXPECT_TRUE(swim_.FinishSync(now_, Encode(all)).has_value());
    Pump();
    events_.clear();
    // What there was to say of them is said.
    while (swim_.broadcasts_queued() > 0 && members > 1) {
      swim_.Receive(now_, AddressOf(2), Encode(PingFrom(2)));
      Pump();
    }
    sent_.clear();
  }

  static SwimOptions Quiet() {
    SwimOptions options;
    options.sync_period = {};
    options.gone_contact_period = {};
    return options;
  }

  static std::string Encode(const Packet& packet) {
    return EncodePacket(ClusterDigest::Of(kBenchCluster), packet);
  }
  static std::string Encode(const StateSync& state) {
    return EncodeStateSync(ClusterDigest::Of(kBenchCluster), state);
  }
  static Packet PingFrom(uint64_t sender, std::vector<Update> updates = {}) {
    return {.kind = PacketKind::kPing,
            .sender = Peer(sender),
            .sequence = 5,
            .target = Peer(1),
            .address = {},
            .updates = std::move(updates)};
  }

  Swim& swim() { return swim_; }
  MonotonicTime now() const { return now_; }
  uint64_t Counted(Count count) const { return swim_.counters().Get(count); }
  Liveness LivenessOf(uint64_t number) const { return swim_.Find(Peer(number))->liveness; }

  void Receive(const Packet& packet) {
    swim_.Receive(now_, AddressOf(packet.sender.low), Encode(packet));
    Pump();
  }
  // News without a question.
  void Hear(uint64_t from, std::vector<Update> updates) {
    Receive({.sender = Peer(from), .updates = std::move(updates)});
  }
  void Answer(const Sent& question, PacketKind kind, uint64_t sender) {
    Receive({.kind = kind, .sender = Peer(sender), .sequence = question.packet.sequence});
  }
  void HearState(uint64_t from, std::vector<MemberState> members) {
    EXPECT_TRUE(swim_.FinishSync(now_, Encode(StateSync{Peer(from), std::move(members)})));
    Pump();
  }

  // Ticks whenever it is time, as a caller should.
  void Advance(Duration by) {
    const MonotonicTime until = now_ + by;
    while (swim_.NextWake() <= until) {
      now_ = std::max(now_, swim_.NextWake());
      swim_.Tick(now_);
      Pump();
    }
    now_ = until;
  }
  // Until the next ping of its own, which is given and taken.
  Sent NextPing() {
    for (int step = 0; step < 10'000; ++step) {
      for (const Sent& sent : sent_) {
        if (sent.packet.kind == PacketKind::kPing) {
          const Sent ping = sent;
          sent_.clear();
          return ping;
        }
      }
      sent_.clear();
      Advance(std::chrono::milliseconds(1));
    }
    ADD_FAILURE() << "no ping";
    return {};
  }
  // Until a ping of its own to this member; others' are acked.
  Sent NextPingTo(uint64_t number) {
    for (int pings = 0; pings < 1000; ++pings) {
      const Sent ping = NextPing();
      if (ping.packet.target == Peer(number)) return ping;
      Answer(ping, PacketKind::kAck, ping.packet.target.low);
    }
    ADD_FAILURE() << "no ping to " << number;
    return {};
  }
  // Does nothing and ticks only afterwards.
  void Stall(Duration time) {
    now_ += time;
    swim_.Tick(now_);
    Pump();
  }

  std::vector<Sent> TakeSent() { return std::exchange(sent_, {}); }
  std::vector<Sent> TakeSent(PacketKind kind) {
    std::vector<Sent> all = TakeSent();
    std::erase_if(all, [&](const Sent& sent) { return sent.packet.kind != kind; });
    return all;
  }
  // What went over connections.
  std::vector<std::pair<NodeId, Packet>> TakeSentOverConnections() {
    return std::exchange(over_connections_, {});
  }
  std::vector<Address> TakeSyncs() { return std::exchange(syncs_, {}); }
  // As (kind, member's number).
  std::vector<std::pair<EventKind, uint64_t>> TakeEvents() {
    std::vector<std::pair<EventKind, uint64_t>> events;
    for (const Event& event : std::exchange(events_, {})) {
      events.emplace_back(event.kind, event.member.id.low);
    }
    return events;
  }
  void Pump() {
    Effects effects;
    swim_.TakeEffects(&effects);
    for (const SendPacket& packet : effects.packets) {
      const Result<Packet> decoded = DecodePacket(ClusterDigest::Of(kBenchCluster), packet.bytes);
      ASSERT_TRUE(decoded.has_value());
      sent_.push_back(Sent{packet.to, *decoded});
    }
    for (const SendOverConnection& sent : effects.over_connections) {
      const Result<Packet> decoded = DecodePacket(ClusterDigest::Of(kBenchCluster), sent.bytes);
      ASSERT_TRUE(decoded.has_value());
      over_connections_.emplace_back(sent.to, *decoded);
    }
    std::ranges::move(effects.syncs, std::back_inserter(syncs_));
    std::ranges::move(effects.events, std::back_inserter(events_));
  }

 private:
  MonotonicTime now_{std::chrono::seconds(1000)};
  Swim swim_;
  std::vector<Sent> sent_;
  std::vector<std::pair<NodeId, Packet>> over_connections_;
  std::vector<Address> syncs_;
  std::vector<Event> events_;
};

}  // namespace eddy::gossip
