#include "node/sync_exchange.h"

#include <algorithm>
#include <utility>

#include "storage/key.h"

namespace eddy::node {

using storage::HashTree;

void SyncExchange::Begin(OpContext& context) {
  began_at_ = context.now.monotonic;
  AskTree(context, std::nullopt);
}

void SyncExchange::AskTree(OpContext& context, std::optional<uint8_t> inner) {
  inner_ = inner;
  storage::TreeVerb tree{.partition = setting_.partition, .n = setting_.n, .inner = {}};
  if (inner) tree.inner = *inner;
  context.effects.verbs.push_back(storage::StoreVerb{.id = setting_.op, .key = {}, .action = tree});
}

void SyncExchange::OnStore(OpContext& context, storage::StoreResult result) {
  if (outcome_) return;
  if (!result.record) return End(Outcome::kFailed);
  if (step_ == Step::kSegment) {
    ours_ = std::move(result);
    return Compare(context);
  }
  if (result.hashes.empty()) return End(Outcome::kUnknownHere);
  below_.assign(result.hashes.begin() + 1, result.hashes.end());
  answer_by_ = context.now.monotonic + kAnswerMax;
  context.Send(setting_.peer, wire::TreeRequest{.op = setting_.op,
                                                .partition = setting_.partition,
                                                .n = setting_.n,
                                                .inner = inner_,
                                                .hash = result.hashes.front()});
}

void SyncExchange::OnTreeReply(OpContext& context, PeerIndex from, const wire::TreeReply& reply) {
  if (outcome_ || from != setting_.peer || step_ != Step::kTree || !answer_by_) return;
  context.peers.Answered(from, context.now.monotonic - (*answer_by_ - kAnswerMax));
  answer_by_.reset();
  if (!reply.known) return End(Outcome::kUnknownThere);
  if (!reply.same && reply.hashes.size() != below_.size()) return End(Outcome::kFailed);
  if (reply.same && !inner_) return End(Outcome::kEqual);
  for (size_t i = 0; i < reply.hashes.size() && !reply.same; ++i) {
    if (reply.hashes[i] == below_[i]) continue;
    if (inner_) {
      leaves_left_.set(*inner_ * HashTree::kFan + i);
    } else {
      inner_left_.set(i);
    }
  }
  NextInner(context);
}

void SyncExchange::NextInner(OpContext& context) {
  for (size_t inner = 0; inner < inner_left_.size(); ++inner) {
    if (!inner_left_.test(inner)) continue;
    inner_left_.reset(inner);
    return AskTree(context, static_cast<uint8_t>(inner));
  }
  step_ = Step::kSegment;
  NextSegment(context);
}

void SyncExchange::NextSegment(OpContext& context) {
  uint32_t leaf = 0;
  while (leaf < HashTree::kLeaves && !leaves_left_.test(leaf)) ++leaf;
  if (leaf == HashTree::kLeaves) {
    step_ = Step::kRows;
    return GoOn(context);
  }
  first_leaf_ = last_leaf_ = leaf;
  for (; leaf < HashTree::kLeaves && leaf - last_leaf_ <= kGapMax + 1; ++leaf) {
    if (!leaves_left_.test(leaf)) continue;
    leaves_left_.reset(leaf);
    last_leaf_ = leaf;
  }
  const unsigned bits = setting_.partition_bits;
  from_ = storage::FirstKeyOf(storage::TokensOfLeaf(setting_.partition, first_leaf_, bits).first);
  end_ = storage::FirstKeyAfter(storage::TokensOfLeaf(setting_.partition, last_leaf_, bits).last);
  segment_open_ = true;
  GoOn(context);
}

void SyncExchange::GoOn(OpContext& context) {
  const size_t waiting = rows_.size() + rows_under_way_;
  if (step_ == Step::kSegment && segment_open_ && waiting < kRowsMax) {
    segment_open_ = false;
    return AskSegment(context);
  }
  if (step_ != Step::kRows || waiting > 0) return;
  End(row_failed_ ? Outcome::kFailed : any_row_ ? Outcome::kLevelled : Outcome::kFruitless);
}

void SyncExchange::AskSegment(OpContext& context) {
  ours_.reset();
  theirs_.reset();
  context.effects.verbs.push_back(
      storage::StoreVerb{.id = setting_.op,
                         .key = from_,
                         .action = storage::ScanVerb{.end = end_,
                                                     .rows_max = wire::kSegmentRowsMax,
                                                     .bytes_max = kPageBytes,
                                                     .digests_only = true}});
  answer_by_ = context.now.monotonic + kAnswerMax;
  const bool from_the_beginning = !storage::DecodeKey(from_);
  context.Send(setting_.peer,
               wire::SegmentRequest{.op = setting_.op,
                                    .partition = setting_.partition,
                                    .n = setting_.n,
                                    .first_leaf = static_cast<uint16_t>(first_leaf_),
                                    .last_leaf = static_cast<uint16_t>(last_leaf_),
                                    .from = from_the_beginning ? std::string() : from_});
}

bool SyncExchange::IsInSegment(const std::string& key) const {
  return key >= from_ && (end_.empty() || key < end_);
}

void SyncExchange::OnSegmentReply(OpContext& context, PeerIndex from, wire::SegmentReply reply) {
  if (outcome_ || from != setting_.peer || step_ != Step::kSegment || !answer_by_) return;
  answer_by_.reset();
  if (reply.error) return End(Outcome::kFailed);
  // A peer that names keys out of order or of elsewhere makes no sense, and is not believed.
  std::string last;
  for (const wire::SegmentRow& row : reply.rows) {
    const auto key = storage::DecodeKey(row.key);
    if (!key || row.key <= last || !IsInSegment(row.key) ||
        setting_.buckets->Find(key->bucket).n != setting_.n) {
      context.counters.Add(Count::kRefusedMalformed);
      return End(Outcome::kFailed);
    }
    last = row.key;
  }
  if (!reply.next.empty() && (reply.next <= last || reply.next <= from_)) {
    context.counters.Add(Count::kRefusedMalformed);
    return End(Outcome::kFailed);
  }
  theirs_ = std::move(reply);
  Compare(context);
}

void SyncExchange::Compare(OpContext& context) {
  if (!ours_ || !theirs_) return;
  // Only up to where both pages reach.
  std::string reach = std::min(ours_->next, theirs_->next);
  if (ours_->next.empty() || theirs_->next.empty()) reach = std::max(ours_->next, theirs_->next);
  const auto within = [&](const std::string& key) { return reach.empty() || key < reach; };
  const auto add = [&](const std::string& key, SyncRow::Need need, const Digest& theirs,
                       size_t bytes) {
    rows_.push_back(SyncRow{.exchange = setting_.op,
                            .peer = setting_.peer,
                            .key = key,
                            .need = need,
                            .theirs = theirs,
                            .bytes = key.size() + bytes});
    any_row_ = true;
  };
  // A row of ours that rotted is as good as missing: theirs mends it.
  std::erase_if(ours_->rows, [&](const storage::ScannedRow& row) {
    if (!row.record) {
      context.Check(row.key);
      return true;
    }
    return setting_.buckets->Find(storage::DecodeKey(row.key)->bucket).n != setting_.n;
  });
  auto our = ours_->rows.begin();
  auto their = theirs_->rows.begin();
  for (;;) {
    const bool more_ours = our != ours_->rows.end() && within(our->key);
    const bool more_theirs = their != theirs_->rows.end() && within(their->key);
    if (!more_ours && !more_theirs) break;
    if (!more_theirs || (more_ours && our->key < their->key)) {
      add(our->key, SyncRow::Need::kPush, {}, our->bytes);
      ++our;
    } else if (!more_ours || their->key < our->key) {
      add(their->key, SyncRow::Need::kPull, their->digest, their->bytes);
      ++their;
    } else {
      if (our->digest != their->digest) {
        add(our->key, SyncRow::Need::kBoth, their->digest, our->bytes + their->bytes);
      }
      ++our;
      ++their;
    }
  }
  ours_.reset();
  theirs_.reset();
  if (reach.empty()) return NextSegment(context);
  from_ = std::move(reach);
  segment_open_ = true;
  GoOn(context);
}

SyncRow SyncExchange::TakeRow() {
  SyncRow row = std::move(rows_.front());
  rows_.pop_front();
  ++rows_under_way_;
  return row;
}

void SyncExchange::OnRowEnded(OpContext& context, bool levelled) {
  --rows_under_way_;
  if (!levelled) row_failed_ = true;
  GoOn(context);
}

void SyncExchange::OnPeerDown(PeerIndex peer) {
  if (peer == setting_.peer && !outcome_) End(Outcome::kFailed);
}

void SyncExchange::OnTick(OpContext& context) {
  if (outcome_ || !answer_by_ || context.now.monotonic < *answer_by_) return;
  context.peers.LeftUnanswered(setting_.peer);
  End(Outcome::kFailed);
}

}  // namespace eddy::node
