// The planted bugs (sim/planted_bug.h) that lie in what a node reads, stores, sends and answers.
#include <limits>
#include <utility>

#include "node/operation.h"
#include "sim/sim_node.h"
#include "storage/hint_key.h"
#include "storage/identity.h"
#include "storage/record_codec.h"

namespace eddy::sim {

void SimNode::PlantInIdentity(storage::Identity* identity) {
  if (setting_.bug == PlantedBug::kForgetHistory) identity->history.begin = 1;
  if (setting_.bug == PlantedBug::kLayoutsForgotten) identity->layouts.clear();
  if (setting_.bug == PlantedBug::kReuseCounters) {
    if (!first_counter_) first_counter_ = identity->lease.begin;
    identity->lease.begin = *first_counter_;
  }
}

bool SimNode::PlantInVerb(storage::StoreVerb* verb) {
  auto* put = std::get_if<storage::PutVerb>(&verb->action);
  auto* join = std::get_if<storage::JoinVerb>(&verb->action);
  switch (setting_.bug) {
    case PlantedBug::kDropHint:
      if (join != nullptr && verb->hint_owner) join->record.clear();
      return true;
    case PlantedBug::kHintsStay:
      if (!std::holds_alternative<storage::ScanVerb>(verb->action) || !verb->hint_owner)
        return true;
      results_.push_back({verb->id, storage::Stage::kApplied, std::string()});
      return false;
    case PlantedBug::kHintAsOwn:
      if (put != nullptr) verb->hint_owner.reset();
      return true;
    case PlantedBug::kDropJoin:
      if (join != nullptr && random_.Chance(1, 20)) join->record.clear();
      return true;
    case PlantedBug::kOverwriteJoin:
      if (join != nullptr && !join->record.empty()) {
        const auto theirs = storage::DecodeRecord(join->record);
        const auto ours = storage::DecodeRecord(RecordOf(verb->key));
        if (!ours) return true;
        lattice::CausalContext both = theirs->context();
        both.Join(ours->context());
        join->record =
            storage::EncodeRecord(*lattice::Record::FromParts(std::move(both), theirs->siblings()));
      }
      return true;
    case PlantedBug::kPutSeesAll:
      if (put != nullptr) put->seen.reset();
      return true;
    case PlantedBug::kPutSeesNothing:
      if (put != nullptr && put->seen) put->seen.emplace();
      return true;
    case PlantedBug::kDeleteErases:
      if (std::holds_alternative<storage::DeleteVerb>(verb->action)) {
        const storage::Write erased{storage::Space::kData, verb->key, std::nullopt};
        if (!engine_.Write({erased}, storage::Logging::kLogged)) return true;
        storage::StoreResult applied{verb->id, storage::Stage::kApplied, std::string()};
        results_.push_back(applied);
        applied.stage = storage::Stage::kDurable;
        results_.push_back(applied);
        return false;
      }
      return true;
    case PlantedBug::kDamageForgotten:
      if (auto* read = std::get_if<storage::ReadVerb>(&verb->action)) read->despite_damage = true;
      return true;
    case PlantedBug::kReapNever:
      return !std::holds_alternative<storage::RemoveVerb>(verb->action) ||
             verb->id != node::kNobodyWaits;
    case PlantedBug::kHandoverKeeps:
      if (!std::holds_alternative<storage::RemoveVerb>(verb->action) || verb->hint_owner) {
        return true;
      }
      results_.push_back({verb->id, storage::Stage::kDurable, std::string()});
      return false;
    case PlantedBug::kFlipBit:
      if (put != nullptr && random_.Chance(1, 50)) put->sibling.value.back() ^= 1;
      return true;
    case PlantedBug::kSiblingsUncapped:
      if (put != nullptr) put->siblings_max = std::numeric_limits<uint32_t>::max();
      return true;
    case PlantedBug::kStaleRead:
      if (std::holds_alternative<storage::ReadVerb>(verb->action) && random_.Chance(1, 10)) {
        const auto [stale, fresh] = stale_records_.try_emplace(verb->key, RecordOf(verb->key));
        if (fresh) return true;
        results_.push_back({verb->id, storage::Stage::kApplied, stale->second});
        return false;
      }
      return true;
    default:
      return true;
  }
}

bool SimNode::PlantInSend(NodeId to, wire::PeerMessage* message) {
  if (setting_.bug == PlantedBug::kHintUnacked) {
    if (const auto* write = std::get_if<wire::WriteRequest>(message)) {
      // Whatever it is: a hint of the same key for that node is taken to be delivered.
      const std::string row = storage::EncodeHintKey(to, write->key);
      if (engine_.Write({{storage::Space::kHints, row, std::nullopt}}, storage::Logging::kLogged)) {
        return true;
      }
    }
  }
  if (setting_.bug == PlantedBug::kGossipMute &&
      (std::holds_alternative<wire::GossipPacket>(*message) ||
       std::holds_alternative<wire::GossipState>(*message))) {
    return false;
  }
  if (setting_.bug == PlantedBug::kStageMute) {
    if (auto* news = std::get_if<wire::LayoutNews>(message)) news->stage.clear();
  }
  if (setting_.bug == PlantedBug::kJoinUnasked) {
    if (auto* join = std::get_if<wire::JoinRequest>(message)) join->waits = false;
  }
  if (setting_.bug == PlantedBug::kReapUnasked) {
    if (auto* reply = std::get_if<wire::QuietReply>(message)) {
      reply->quiet = true;
      reply->epoch = 1;
    }
  }
  if (setting_.bug == PlantedBug::kNoSync && std::holds_alternative<wire::TreeRequest>(*message)) {
    return false;
  }
  if (setting_.bug == PlantedBug::kTreeSameAlways) {
    if (auto* reply = std::get_if<wire::TreeReply>(message)) reply->same = reply->known = true;
  }
  if (setting_.bug == PlantedBug::kSegmentForgets) {
    auto* reply = std::get_if<wire::SegmentReply>(message);
    if (reply != nullptr && !reply->rows.empty()) reply->rows.pop_back();
  }
  if (setting_.bug == PlantedBug::kSyncedAtOnce) {
    if (auto* news = std::get_if<wire::LayoutNews>(message)) {
      auto history = ring::LayoutHistory::Decode(news->history);
      history->Advance(member_.id, {.synced = history->newest().version()});
      news->history = history->Encode();
    }
  }
  if (setting_.bug == PlantedBug::kHandoverUnheard) {
    auto* asked = std::get_if<wire::ReadRequest>(message);
    // Whatever the owner says, the record is gone, unless the disk fails just now.
    if (asked != nullptr && asked->as_owner) {
      static_cast<void>(
          engine_.Write({storage::Write{storage::Space::kData, asked->key, std::nullopt}},
                        storage::Logging::kLogged));
    }
  }
  if (setting_.bug == PlantedBug::kSameAlways) {
    if (auto* reply = std::get_if<wire::ReadReply>(message)) {
      reply->same = true;
      reply->record.clear();
    }
  }
  return true;
}

bool SimNode::PlantInAnswer(uint64_t ticket, wire::ClientReply* reply) {
  if (setting_.bug == PlantedBug::kNoAnswer) return !random_.Chance(1, 500);
  if (setting_.bug == PlantedBug::kTwoAnswers && random_.Chance(1, 500)) {
    setting_.listener->Answered(setting_.index, ticket, *reply);
  }
  if (setting_.bug == PlantedBug::kUnknownIsNotDone && reply->error &&
      reply->error->code == Code::kUnknownOutcome) {
    reply->error->code = Code::kUnavailable;
  }
  return true;
}

}  // namespace eddy::sim
