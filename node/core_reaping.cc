// What every node does for those that forget the dead (node/reaper.h): it says whether it is quiet,
// passes their fences, and removes what they name.
#include <algorithm>
#include <utility>

#include "node/core.h"
#include "storage/key.h"
#include "storage/record_codec.h"

namespace eddy::node {

std::optional<uint64_t> Node::Core::QuietEpoch() const {
  if (!membership.IsMember() || !topology.settled() || !hints.empty() || !background.HandedOver()) {
    return std::nullopt;
  }
  return hints.noted() + background.noted() + topology.epoch();
}

void Node::Core::AnswerQuiet(OpContext& context, PeerIndex to, uint64_t id) {
  const auto epoch = QuietEpoch();
  if (to == kSelf) return background.reaper().OnQuietReply(kSelf, id, epoch);
  context.Send(to,
               wire::QuietReply{.op = id, .quiet = epoch.has_value(), .epoch = epoch.value_or(0)});
}

void Node::Core::PassFence(MonotonicTime now, PeerIndex asker, uint64_t id, uint64_t version) {
  std::vector<uint64_t> under_way = operations_.Ids();
  const std::vector<uint64_t> carriers = background.Carriers();
  under_way.insert(under_way.end(), carriers.begin(), carriers.end());
  fences_.Begin(now, asker, id, version, std::move(under_way));
}

void Node::Core::Handle(OpContext& context, PeerIndex from, const wire::QuietRequest& request) {
  const bool same = topology.settled() && topology.newest().version() == request.version;
  if (!same) {
    context.Send(from, wire::QuietReply{.op = request.op, .quiet = false});
  } else if (request.fence) {
    PassFence(context.now.monotonic, from, request.op, request.version);
  } else {
    AnswerQuiet(context, from, request.op);
  }
}

void Node::Core::Handle(OpContext&, PeerIndex from, const wire::QuietReply& reply) {
  background.reaper().OnQuietReply(from, reply.op,
                                   reply.quiet ? std::optional(reply.epoch) : std::nullopt);
}

void Node::Core::Handle(OpContext& context, PeerIndex from, const wire::FencePassed& passed) {
  const auto asker = peers.Find(passed.asker);
  if (!asker || !(*asker == kSelf || topology.IsMember(*asker))) {
    return counters.Add(Count::kRefusedStranger);
  }
  fences_.Passed(context.now.monotonic, *asker, passed.op, from);
}

void Node::Core::Handle(OpContext& context, PeerIndex, wire::ReapRequest request) {
  const auto record = storage::DecodeRecord(request.tombstone);
  const bool may_be_dead =
      record && !record->empty() &&
      std::ranges::all_of(record->siblings(), [](const lattice::Sibling& sibling) {
        return sibling.expires_at != lattice::Sibling::kNever;
      });
  if (!storage::DecodeKey(request.key) || !may_be_dead) {
    return counters.Add(Count::kRefusedMalformed);
  }
  context.effects.verbs.push_back(
      storage::StoreVerb{.id = kNobodyWaits,
                         .key = std::move(request.key),
                         .durability = storage::Durability::kOs,
                         .action = storage::RemoveVerb{storage::RecordDigest(request.tombstone)}});
}

void Node::Core::TickReaping(OpContext& context) {
  const auto begun = background.reaper().Tick(context, topology, QuietEpoch());
  if (begun) PassFence(context.now.monotonic, kSelf, begun->id, begun->version);
  const auto lives = [&](uint64_t op) {
    return Background::IsMine(op) ? background.Lives(op) : operations_.Find(op) != nullptr;
  };
  for (const Fences::Answer& answer : fences_.Tick(context, topology, lives)) {
    AnswerQuiet(context, answer.to, answer.id);
  }
}

}  // namespace eddy::node
