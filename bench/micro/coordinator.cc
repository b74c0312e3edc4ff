#include "bench/micro/coordinator.h"

#include <utility>
#include <variant>

#include <fmt/core.h>

#include "base/check.h"
#include "base/random.h"
#include "ring/planner.h"
#include "storage/identity.h"
#include "storage/memory_engine.h"
#include "storage/record_codec.h"

namespace eddy::bench {

namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

constexpr uint64_t kMembers = 3;
constexpr uint64_t kKeys = 4096;

ring::Layout ThreeMembers() {
  ring::PlanRequest request;
  for (uint64_t i = 1; i <= kMembers; ++i) {
    ring::Member member;
    member.id = NodeId{1, i};
    member.name = fmt::format("n{}", i);
    member.doors.host = fmt::format("127.0.0.{}", i);
    request.members.push_back(std::move(member));
  }
  return ring::PlanLayout(std::move(request))->layout;
}

}  // namespace

Coordinator::Coordinator(size_t value_bytes) : layout_(ThreeMembers()), value_(value_bytes, 'v') {
  lattice::Record record;
  record.Put({}, {.dot = {ActorId{9, 1}, 1}, .timestamp = {1}, .value = value_}, {});
  record_ = storage::EncodeRecord(record);

  storage::MemoryEngine engine;
  Random random(7);
  const NodeId self = layout_.members().front().id;
  auto identity = storage::OpenIdentity(&engine, {.cluster = "bench", .node = self}, &random);
  CHECK(identity.has_value());
  identity->layouts = ring::LayoutHistory(layout_).Encode();
  node::NodeOptions options;
  options.anti_entropy_period = {};
  options.scrub_period = {};
  options.reap_after = {};
  options.durability = storage::Durability::kOs;
  node_ = std::make_unique<node::Node>(options, node::BucketTable(), *layout_.Find(self),
                                       *std::move(identity), random);
  node_->Tick(now());
  for (const ring::Member& member : layout_.members()) {
    if (member.id != self) node_->PeerUp(now(), member.id);
  }
  Perform();
  std::string_view awaited;
  CHECK(node_->Ready(&awaited));
}

// A request each microsecond, so that nothing is overdue.
Now Coordinator::now() const {
  return Now{MonotonicTime(seconds(1) + microseconds(requests_)),
             WallTime(seconds(1'700'000'000)) + std::chrono::milliseconds(requests_ / 1000)};
}

void Coordinator::Put() {
  Run({.id = {1, requests_ + 1},
       .bucket = "bench",
       .key = fmt::format("key{:06}", requests_ % kKeys),
       .action = wire::PutAction{.value = value_}});
}

void Coordinator::Get() {
  Run({.bucket = "bench",
       .key = fmt::format("key{:06}", requests_ % kKeys),
       .action = wire::GetAction{}});
}

void Coordinator::Run(wire::ClientRequest request) {
  node_->Submit(now(), ++requests_, std::move(request));
  Perform();
  CHECK(answers_ == requests_ && node_->operations_in_flight() == 0);
}

void Coordinator::Perform() {
  for (node_->TakeEffects(&effects_); !effects_.empty(); node_->TakeEffects(&effects_)) {
    for (storage::StoreVerb& verb : effects_.verbs) {
      const bool joins = std::holds_alternative<storage::JoinVerb>(verb.action);
      const bool meta = std::holds_alternative<storage::PutMetaVerb>(verb.action);
      const bool reads = std::holds_alternative<storage::ReadVerb>(verb.action);
      storage::StoreResult result{.id = verb.id, .record = record_};
      if (!joins && !meta) node_->Complete(now(), result);
      result.stage = storage::Stage::kDurable;
      result.record = std::string();
      if (!reads) node_->Complete(now(), std::move(result));
    }
    for (node::Send& send : effects_.sends) {
      if (const auto* write = std::get_if<wire::WriteRequest>(&send.message)) {
        node_->Receive(now(), send.to, wire::WriteReply{.op = write->op});
      } else if (const auto* read = std::get_if<wire::ReadRequest>(&send.message)) {
        wire::ReadReply reply{.op = read->op};
        reply.same = read->have.has_value();
        if (!reply.same) reply.record = record_;
        node_->Receive(now(), send.to, std::move(reply));
      } else if (const auto* lease = std::get_if<wire::LeaseAnnouncement>(&send.message)) {
        node_->Receive(now(), send.to, wire::LeaseAnswer{.op = lease->op, .granted = true});
      }
    }
    for (const node::ClientAnswer& answer : effects_.answers) {
      CHECK(!answer.reply.error);
      ++answers_;
    }
  }
}

}  // namespace eddy::bench
