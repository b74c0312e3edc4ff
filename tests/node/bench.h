// A workbench for one node: its store is real (over the memory engine), time is set by hand, and
// the other members are played by the test, message by message.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "node/node.h"
#include "ring/planner.h"
#include "storage/key.h"
#include "storage/memory_engine.h"
#include "storage/record_codec.h"
#include "wire/context_token.h"

namespace eddy::node {

inline ring::Layout LayoutOf(size_t members, uint16_t peer_port = 0) {
  ring::PlanRequest request;
  for (uint64_t i = 0; i < members; ++i) {
    ring::Member member;
    member.id = NodeId{1, i + 1};
    member.name = "n" + std::to_string(i + 1);
    member.doors.host = "127.0.0." + std::to_string(i + 1);
    member.doors.peer = peer_port;
    request.members.push_back(member);
  }
  return ring::PlanLayout(request)->layout;
}

class Bench {
 public:
  // Without a peer port the node takes no part in gossip, and so goes by what the test says alone.
  explicit Bench(size_t members = 3, NodeOptions options = {}, BucketTable buckets = {},
                 uint16_t peer_port = 0)
      : layout_(LayoutOf(members, peer_port)) {
    Random random(7);
    auto identity = storage::OpenIdentity(&engine_, {.cluster = "test", .node = Self()}, &random);
    EXPECT_TRUE(identity.has_value());
    lease_ = identity->lease;
    trees_.emplace(storage::TreeKeeper::Options{
        .partition_bits = layout_.partition_bits(),
        .replicas_of = [buckets](std::string_view bucket) { return buckets.Find(bucket).n; }});
    store_.emplace(&engine_, lease_, &*trees_);
    identity->layouts = ring::LayoutHistory(layout_).Encode();
    node_ = std::make_unique<Node>(options, std::move(buckets), *layout_.Find(Self()), *identity,
                                   random);
    node_->Tick(now());
    for (const ring::Member& member : layout_.members()) {
      if (member.id != Self()) node_->PeerUp(now(), member.id);
    }
    Pump();
  }

  static NodeId Self() { return Peer(1); }
  static NodeId Peer(uint64_t k) { return NodeId{1, k}; }
  Now now() const { return Now{monotonic_, wall_}; }
  Node& node() { return *node_; }
  storage::MemoryEngine& engine() { return engine_; }
  const ring::Layout& layout() const { return layout_; }

  // Every peer that was asked grants the lease: the node is ready.
  void GrantLeases() {
    for (const ring::Member& member : layout_.members()) {
      for (const auto& announced : Sent<wire::LeaseAnnouncement>(member.id)) {
        Receive(member.id, wire::LeaseAnswer{.op = announced.op, .granted = true});
      }
    }
  }

  void Advance(Duration by) {
    monotonic_ += by;
    wall_ += std::chrono::duration_cast<std::chrono::milliseconds>(by);
    node_->Tick(now());
    Pump();
  }

  uint64_t Submit(wire::ClientRequest request) {
    node_->Submit(now(), ++ticket_, std::move(request));
    Pump();
    return ticket_;
  }
  void Receive(NodeId from, wire::PeerMessage message) {
    node_->Receive(now(), from, std::move(message));
    Pump();
  }
  void PeerUp(NodeId peer) {
    node_->PeerUp(now(), peer);
    Pump();
  }
  void PeerDown(NodeId peer) {
    node_->PeerDown(now(), peer);
    Pump();
  }

  // Executes store verbs as they come, but commits only when told: what is written stays unsynced
  // until Sync.
  void Pump() {
    Effects effects;
    for (node_->TakeEffects(&effects); !effects.empty(); node_->TakeEffects(&effects)) {
      for (Send& send : effects.sends) sent_.push_back(std::move(send));
      for (gossip::SendPacket& packet : effects.packets) packets_.push_back(std::move(packet));
      for (gossip::Event& event : effects.sightings) sightings_.push_back(std::move(event));
      for (ClientAnswer& answer : effects.answers) {
        EXPECT_FALSE(answers_.contains(answer.ticket)) << "answered twice";
        answers_.emplace(answer.ticket, std::move(answer.reply));
      }
      std::vector<storage::StoreResult> results;
      for (storage::StoreVerb& verb : effects.verbs) {
        if (store_held_) {
          held_.push_back(std::move(verb));
          continue;
        }
        if (!fail_store_.has_value()) {
          results.push_back({verb.id, storage::Stage::kApplied, fail_store_});
          results.back().record = std::unexpected(fail_store_.error());
          continue;
        }
        EXPECT_TRUE(store_->Execute(&verb, storage::Tier::kDisk, &results));
      }
      for (auto& result : results) node_->Complete(now(), std::move(result));
    }
  }
  // Until it is released, the store does nothing.
  void HoldStore() { store_held_ = true; }
  void ReleaseStore() {
    store_held_ = false;
    std::vector<storage::StoreResult> results;
    for (storage::StoreVerb& verb : std::exchange(held_, {})) {
      EXPECT_TRUE(store_->Execute(&verb, storage::Tier::kDisk, &results));
    }
    for (auto& result : results) node_->Complete(now(), std::move(result));
    Pump();
  }
  void Sync(const Status& status = {}) {
    std::vector<storage::StoreResult> results;
    const uint64_t commit = store_->Commit(&results);
    EXPECT_TRUE(engine_.Sync().has_value());
    store_->Synced(commit, status, &results);
    for (auto& result : results) node_->Complete(now(), std::move(result));
    Pump();
  }
  // The store forgets what it executed since the last Sync, and its results never come.
  void DropTurn() {
    trees_->ForgetAll();
    store_.emplace(&engine_, lease_, &*trees_);
  }
  // The node finds, by a write to this key, that a twin writes under its actor's name: the stored
  // record holds a dot of it that is far ahead.
  void LoseActor(const std::string& key);
  // From now on the store answers every verb with this error.
  void FailStore(Error error) { fail_store_ = std::unexpected(std::move(error)); }

  // Whether Sent would give any.
  template <class T>
  bool HasSent(NodeId to) const {
    return std::ranges::any_of(sent_, [&](const Send& send) {
      return send.to == to && std::holds_alternative<T>(send.message);
    });
  }
  // Messages of type T sent to `to` since the last call for them.
  template <class T>
  std::vector<T> Sent(NodeId to) {
    std::vector<T> found;
    std::erase_if(sent_, [&](const Send& send) {
      const T* message = send.to == to ? std::get_if<T>(&send.message) : nullptr;
      if (message != nullptr) found.push_back(*message);
      return message != nullptr;
    });
    return found;
  }

  // What gossip sent since the last call, and what it found out.
  std::vector<gossip::SendPacket> TakePackets() { return std::exchange(packets_, {}); }
  std::vector<gossip::Event> TakeSightings() { return std::exchange(sightings_, {}); }
  void ReceivePacket(const gossip::Address& from, std::string_view packet) {
    node_->ReceivePacket(now(), from, packet);
    Pump();
  }

  // Null while the request is under way.
  const wire::ClientReply* Reply(uint64_t ticket) const {
    const auto found = answers_.find(ticket);
    return found == answers_.end() ? nullptr : &found->second;
  }

  // The record as this node's store holds it.
  lattice::Record Stored(const std::string& key) {
    std::string bytes;
    const auto presence = engine_.Get(storage::Space::kData, key, storage::Tier::kDisk, &bytes);
    EXPECT_TRUE(presence.has_value());
    if (*presence == storage::Presence::kAbsent) return {};
    EXPECT_TRUE(storage::UnsealRecord(key, &bytes).has_value());
    return *storage::DecodeRecord(bytes);
  }

 private:
  ring::Layout layout_;
  storage::MemoryEngine engine_;
  storage::Lease lease_;
  std::optional<storage::TreeKeeper> trees_;
  std::optional<storage::Store> store_;
  Result<std::string> fail_store_;
  bool store_held_ = false;
  std::vector<storage::StoreVerb> held_;
  std::unique_ptr<Node> node_;
  MonotonicTime monotonic_{std::chrono::seconds(100)};
  WallTime wall_{std::chrono::seconds(1'700'000'000)};
  uint64_t ticket_ = 0;
  std::vector<Send> sent_;
  std::vector<gossip::SendPacket> packets_;
  std::vector<gossip::Event> sightings_;
  std::map<uint64_t, wire::ClientReply> answers_;
};

inline wire::ClientRequest GetOf(const std::string& key) {
  return {.bucket = "b", .key = key, .action = wire::GetAction{}};
}
inline wire::ClientRequest PutOf(const std::string& key, const std::string& value,
                                 const std::string& context = {}) {
  return {.bucket = "b", .key = key, .action = wire::PutAction{.value = value, .context = context}};
}
inline std::string RecordKeyOf(const std::string& key) {
  return storage::EncodeKey({ring::TokenOf("b", key).value, "b", key});
}
inline void Bench::LoseActor(const std::string& key) {
  lattice::Record ahead;
  ahead.Put({}, {.dot = {node_->actor(), 1'000'000'000}, .timestamp = {1}, .value = "twin"}, {});
  std::string stored = storage::EncodeRecord(ahead);
  storage::SealRecord(RecordKeyOf(key), 1, &stored);
  EXPECT_TRUE(
      engine_.Write({{storage::Space::kData, RecordKeyOf(key), stored}}, storage::Logging::kLogged)
          .has_value());
  const uint64_t ticket = Submit(PutOf(key, "too late"));
  ASSERT_NE(Reply(ticket), nullptr);
  EXPECT_EQ(Reply(ticket)->error->code, Code::kUnavailable);
  Sync();
}
// A record with one sibling, as another node would have written it.
inline lattice::Record RecordOf(uint64_t actor, uint64_t counter, const std::string& value) {
  lattice::Record record;
  record.Put({}, {.dot = {ActorId{9, actor}, counter}, .timestamp = {1}, .value = value}, {});
  return record;
}

}  // namespace eddy::node
