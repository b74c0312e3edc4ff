#include "node/background.h"

#include <algorithm>
#include <utility>

#include "storage/key.h"

namespace eddy::node {

Background::Background(const NodeOptions& options, const Topology& topology,
                       const BucketTable& buckets, uint32_t first_generation,
                       const std::vector<storage::TokenRange>& damaged)
    : topology_(topology),
      buckets_(buckets),
      operations_(kOperationsMax, first_generation, kBase),
      anti_entropy_(options.anti_entropy_period),
      trees_(topology.layout().partition_bits(), options.tree_age_max),
      handover_(topology.layout().partition_bits()),
      reaper_(options.reap_after, options.scrub_period, topology.layout().partition_bits()),
      mender_(topology.layout().partition_bits(), damaged) {}

void Background::Relay(OpContext& context) {
  const MonotonicTime now = context.now.monotonic;
  operations_.EraseIf([&](const Operation& operation) {
    if (const auto* row = std::get_if<SyncRow>(&operation)) {
      context.budget.Return(row->bytes);
    } else if (const auto* hint = std::get_if<HintRow>(&operation)) {
      context.budget.Return(hint->bytes);
    } else if (const auto* handed = std::get_if<HandoverRow>(&operation)) {
      // What is being removed must be known to be gone before copies of it may count.
      if (handed->removing()) return false;
      context.budget.Return(handed->bytes());
      removing_ -= handed->hint_owner() ? 0 : 1;
    } else if (const auto* dead = std::get_if<ReapRow>(&operation)) {
      context.budget.Return(dead->bytes());
    }
    return !std::holds_alternative<TreeStep>(operation) &&
           !std::holds_alternative<ReapScan>(operation) &&
           !std::holds_alternative<ServedTree>(operation) &&
           !std::holds_alternative<ServedSegment>(operation);
  });
  exchanges_.clear();
  hints_.Relay();
  const std::vector<uint8_t> counts = buckets_.ReplicaCounts();
  anti_entropy_.Relay(now, topology_, context.peers, counts);
  // While data moves, trees are needed whether they are compared otherwise or not.
  const bool compares = anti_entropy_.enabled() || !topology_.settled();
  trees_.Relay(now, compares ? anti_entropy_.partitions() : std::vector<uint32_t>());
  handover_.Relay(topology_, counts);
  reaper_.Relay();
  mender_.Relay();
  for (const uint32_t partition : mender_.Partitions()) BeginMend(now, partition);
}

void Background::FoundDamage(OpContext& context, const storage::FoundDamage& damage) {
  if (!mender_.Found(damage)) return;
  context.counters.Add(Count::kRotFound);
  BeginMend(context.now.monotonic, mender_.PartitionOf(damage.token));
}

void Background::BeginMend(MonotonicTime now, uint32_t partition) {
  anti_entropy_.Mend(now, partition);
  trees_.Want(now, partition);
}

WrittenTo Background::NoteWrite(const std::string& key) {
  const ring::Token token{storage::TokenOfKey(key)};
  WrittenTo to{.partition = topology_.newest().PartitionOf(token).value};
  if (handover_.MayBeForeign(to.partition)) {
    to.n = buckets_.Find(storage::DecodeKey(key)->bucket).n;
    NoteWritten(to);
  }
  return to;
}

void Background::NoteWritten(WrittenTo to) {
  if (!handover_.MayBeForeign(to.partition)) return;
  const auto owners = topology_.Owners(ring::PartitionId{to.partition}, to.n);
  // Where nobody knows whose it is any more, it is looked at.
  const bool ours = to.n != 0 && std::ranges::find(owners, kSelf) != owners.end();
  if (!ours) handover_.NoteForeign(to.partition);
}

template <class Op>
Op* Background::Find(OpContext& context, uint64_t id) {
  Operation* operation = operations_.Find(id);
  Op* op = operation == nullptr ? nullptr : std::get_if<Op>(operation);
  if (op == nullptr) context.counters.Add(Count::kLateReplies);
  return op;
}

// --- Results and messages

void Background::Complete(OpContext& context, storage::StoreResult result) {
  const uint64_t id = result.id;
  Operation* operation = operations_.Find(id);
  if (operation == nullptr) return;
  if (std::holds_alternative<TreeStep>(*operation)) {
    operations_.Erase(id);
    trees_.OnStep(context, std::move(result));
  } else if (auto* exchange = std::get_if<SyncExchange>(operation)) {
    exchange->OnStore(context, std::move(result));
    Settle(context, id, exchange);
  } else if (auto* row = std::get_if<SyncRow>(operation)) {
    Settle(context, id, *row, row->OnStore(context, id, std::move(result)));
  } else if (auto* tree = std::get_if<ServedTree>(operation)) {
    const uint32_t partition = tree->request().partition;
    if (result.record && result.hashes.empty()) {
      trees_.Forgotten(context.now.monotonic, partition);
      // Somebody needs it who does not compare for its own sake.
      trees_.Want(context.now.monotonic, partition);
    }
    if (tree->OnStore(context, result)) {
      anti_entropy_.FoundEqual(context.now.monotonic, partition, tree->request().n, tree->from());
    }
    operations_.Erase(id);
  } else if (auto* segment = std::get_if<ServedSegment>(operation)) {
    segment->OnStore(context, buckets_, std::move(result));
    operations_.Erase(id);
  } else if (const auto* scan = std::get_if<HintScan>(operation)) {
    if (hints_.OnScanned(context, *scan, std::move(result))) operations_.Erase(id);
  } else if (const auto* hint = std::get_if<HintRow>(operation)) {
    const bool removed = result.record && result.record->empty();
    if (hints_.OnRemoved(context, *hint, removed)) operations_.Erase(id);
  } else if (std::holds_alternative<HandoverScan>(*operation)) {
    operations_.Erase(id);
    handover_.OnScanned(context, std::move(result));
  } else if (auto* handed = std::get_if<HandoverRow>(operation)) {
    Settle(context, id, *handed, handed->OnStore(context, id, result));
  } else if (std::holds_alternative<ReapScan>(*operation)) {
    operations_.Erase(id);
    reaper_.OnScanned(context, topology_, buckets_, std::move(result));
  } else if (auto* dead = std::get_if<ReapRow>(operation)) {
    Settle(context, id, *dead, dead->OnStore(context, id, result));
  } else if (const auto* step = std::get_if<MendStep>(operation)) {
    const uint32_t partition = step->partition;
    const bool mended = mender_.Ended(*step, result);
    operations_.Erase(id);
    if (mended) {
      context.counters.Add(Count::kMended);
      anti_entropy_.EndMend(partition);
    } else {
      BeginMend(context.now.monotonic, partition);
    }
  }
  Run(context);
}

void Background::Receive(OpContext& context, PeerIndex from, const wire::WriteReply& reply) {
  Operation* operation = operations_.Find(reply.op);
  if (operation != nullptr && std::holds_alternative<HintRow>(*operation)) {
    auto& hint = std::get<HintRow>(*operation);
    if (hint.to == from && hints_.OnWriteReply(context, reply.op, hint, reply)) {
      operations_.Erase(reply.op);
    }
  } else if (operation != nullptr && std::holds_alternative<HandoverRow>(*operation)) {
    auto& handed = std::get<HandoverRow>(*operation);
    Settle(context, reply.op, handed, handed.OnWriteReply(context, reply.op, from, reply));
  } else if (operation != nullptr && std::holds_alternative<ReapRow>(*operation)) {
    auto& dead = std::get<ReapRow>(*operation);
    Settle(context, reply.op, dead, dead.OnWriteReply(context, reply.op, from, reply));
  } else if (auto* row = Find<SyncRow>(context, reply.op)) {
    Settle(context, reply.op, *row, row->OnWriteReply(context, from, reply));
  }
  Run(context);
}

void Background::Receive(OpContext& context, PeerIndex from, wire::ReadReply reply) {
  const uint64_t id = reply.op;
  Operation* operation = operations_.Find(id);
  if (operation != nullptr && std::holds_alternative<HandoverRow>(*operation)) {
    auto& handed = std::get<HandoverRow>(*operation);
    Settle(context, id, handed, handed.OnReadReply(context, id, from, std::move(reply)));
  } else if (operation != nullptr && std::holds_alternative<ReapRow>(*operation)) {
    auto& dead = std::get<ReapRow>(*operation);
    Settle(context, id, dead, dead.OnReadReply(from, reply));
  } else if (auto* row = Find<SyncRow>(context, id)) {
    Settle(context, id, *row, row->OnReadReply(context, id, from, std::move(reply)));
  }
  Run(context);
}

void Background::Receive(OpContext& context, PeerIndex from, const wire::TreeReply& reply) {
  if (auto* exchange = Find<SyncExchange>(context, reply.op)) {
    exchange->OnTreeReply(context, from, reply);
    Settle(context, reply.op, exchange);
    Run(context);
  }
}

void Background::Receive(OpContext& context, PeerIndex from, wire::SegmentReply reply) {
  const uint64_t id = reply.op;
  if (auto* exchange = Find<SyncExchange>(context, id)) {
    exchange->OnSegmentReply(context, from, std::move(reply));
    Settle(context, id, exchange);
    Run(context);
  }
}

void Background::Receive(OpContext& context, PeerIndex from, const wire::TreeRequest& request) {
  if (request.partition >= topology_.layout().partition_count()) {
    context.counters.Add(Count::kRefusedMalformed);
  } else if (operations_.full()) {
    context.counters.Add(Count::kRefusedBusy);
    context.Send(from, wire::TreeReply{.op = request.op, .known = false, .same = false});
  } else {
    const uint64_t op = operations_.NextId();
    operations_.Insert(ServedTree(context, op, from, request));
  }
}

void Background::Receive(OpContext& context, PeerIndex from, const wire::SegmentRequest& request) {
  const unsigned bits = topology_.layout().partition_bits();
  bool valid = request.partition < topology_.layout().partition_count() &&
               request.first_leaf <= request.last_leaf &&
               request.last_leaf < storage::HashTree::kLeaves;
  if (valid && !request.from.empty()) {
    const auto key = storage::DecodeKey(request.from);
    valid =
        key &&
        key->token >= storage::TokensOfLeaf(request.partition, request.first_leaf, bits).first &&
        key->token <= storage::TokensOfLeaf(request.partition, request.last_leaf, bits).last;
  }
  if (!valid) {
    context.counters.Add(Count::kRefusedMalformed);
  } else if (operations_.full()) {
    context.counters.Add(Count::kRefusedBusy);
    context.Send(from, wire::SegmentReply{.op = request.op,
                                          .error = Error{Code::kBusy, "too many operations"}});
  } else {
    const uint64_t op = operations_.NextId();
    operations_.Insert(ServedSegment(context, op, from, bits, request));
  }
}

void Background::Settle(OpContext& context, uint64_t id, SyncExchange* exchange) {
  if (!exchange->outcome()) return;
  if (*exchange->outcome() == SyncExchange::Outcome::kUnknownHere) {
    trees_.Forgotten(context.now.monotonic, exchange->setting().partition);
  }
  anti_entropy_.Ended(context, *exchange);
  std::erase(exchanges_, id);
  operations_.Erase(id);
}

void Background::Settle(OpContext& context, uint64_t id, const SyncRow& row,
                        SyncRow::Progress progress) {
  if (progress == SyncRow::Progress::kUnderWay) return;
  const uint64_t exchange_id = row.exchange;
  const size_t pulled_bytes = row.pulled_bytes;
  context.budget.Return(row.bytes);
  operations_.Erase(id);
  Operation* operation = operations_.Find(exchange_id);
  if (operation == nullptr) return;  // it was given up before
  auto& exchange = std::get<SyncExchange>(*operation);
  exchange.OnRowEnded(context, progress == SyncRow::Progress::kLevel);
  if (pulled_bytes > 0) anti_entropy_.Pulled(exchange.setting().task, pulled_bytes);
  Settle(context, exchange_id, &exchange);
}

void Background::Settle(OpContext& context, uint64_t id, const HandoverRow& row,
                        HandoverRow::Progress progress) {
  if (progress == HandoverRow::Progress::kUnderWay) return;
  const bool gone = progress == HandoverRow::Progress::kGone;
  removing_ -= row.hint_owner() ? 0 : 1;
  if (row.epoch() != topology_.epoch()) {
    context.budget.Return(row.bytes());
  } else if (row.hint_owner()) {
    hints_.HandedOver(context, *row.hint_owner(), row.bytes(), gone);
  } else {
    context.budget.Return(row.bytes());
    handover_.RowEnded(context, gone);
  }
  operations_.Erase(id);
}

void Background::Settle(OpContext& context, uint64_t id, const ReapRow& row,
                        ReapRow::Progress progress) {
  if (progress == ReapRow::Progress::kUnderWay) return;
  context.budget.Return(row.bytes());
  reaper_.RowEnded(row, progress == ReapRow::Progress::kLevel);
  operations_.Erase(id);
}

std::vector<uint64_t> Background::Carriers() {
  std::vector<uint64_t> ids = operations_.Ids();
  std::erase_if(ids, [&](uint64_t id) {
    const Operation& operation = *operations_.Find(id);
    return !std::holds_alternative<SyncRow>(operation) &&
           !std::holds_alternative<HintRow>(operation) &&
           !std::holds_alternative<HandoverRow>(operation) &&
           !std::holds_alternative<ReapRow>(operation);
  });
  return ids;
}

// --- Peers and time

void Background::PeerDown(OpContext& context, PeerIndex peer) {
  reaper_.OnPeerDown(peer);
  for (const uint64_t id : operations_.Ids()) {
    Operation* operation = operations_.Find(id);
    if (operation == nullptr) continue;  // ended with another
    if (auto* exchange = std::get_if<SyncExchange>(operation)) {
      exchange->OnPeerDown(peer);
      Settle(context, id, exchange);
    } else if (const auto* row = std::get_if<SyncRow>(operation)) {
      Settle(context, id, *row, row->OnPeerDown(peer));
    } else if (const auto* hint = std::get_if<HintRow>(operation)) {
      if (hints_.OnPeerDown(context, *hint, peer)) operations_.Erase(id);
    } else if (const auto* handed = std::get_if<HandoverRow>(operation)) {
      Settle(context, id, *handed, handed->OnPeerDown(peer));
    } else if (const auto* dead = std::get_if<ReapRow>(operation)) {
      Settle(context, id, *dead, dead->OnPeerDown(peer));
    }
  }
}

void Background::Tick(OpContext& context) {
  for (const uint64_t id : operations_.Ids()) {
    Operation* operation = operations_.Find(id);
    if (operation == nullptr) continue;  // ended with another
    if (auto* exchange = std::get_if<SyncExchange>(operation)) {
      exchange->OnTick(context);
      Settle(context, id, exchange);
    } else if (const auto* row = std::get_if<SyncRow>(operation)) {
      Settle(context, id, *row, row->OnTick(context));
    } else if (const auto* hint = std::get_if<HintRow>(operation)) {
      if (hints_.OnTick(context, *hint)) operations_.Erase(id);
    } else if (const auto* handed = std::get_if<HandoverRow>(operation)) {
      Settle(context, id, *handed, handed->OnTick(context));
    } else if (const auto* dead = std::get_if<ReapRow>(operation)) {
      Settle(context, id, *dead, dead->OnTick(context));
    }
  }
}

// --- Starting

void Background::BeginStop() {
  running_ = false;
  operations_.EraseIf([](const Operation&) { return true; });
  exchanges_.clear();
  removing_ = 0;
  reaper_.Relay();
  mender_.Relay();
}

void Background::Run(OpContext& context) {
  if (!running_) return;
  // What brings a replica up to date comes before what looks for more of it.
  StartHints(context);
  StartRows(context);
  StartMending(context);
  StartExchanges(context);
  StartTrees(context);
  StartHandover(context);
  StartReaping(context);
}

void Background::StartMending(OpContext& context) {
  while (mender_.any() && !operations_.full()) {
    auto start = mender_.Next(anti_entropy_);
    if (!start) return;
    start->verb.id = operations_.NextId();
    operations_.Insert(start->step);
    context.effects.verbs.push_back(std::move(start->verb));
  }
}

void Background::StartReaping(OpContext& context) {
  while (!operations_.full()) {
    auto row = reaper_.NextRow(context);
    if (!row) break;
    const uint64_t op = operations_.NextId();
    std::get<ReapRow>(operations_.Insert(*std::move(row))).Begin(context, op);
  }
  if (operations_.full()) return;
  if (auto verb = reaper_.NextScan(context, topology_)) {
    verb->id = operations_.NextId();
    operations_.Insert(ReapScan());
    context.effects.verbs.push_back(*std::move(verb));
  }
}

void Background::StartHandover(OpContext& context) {
  if (!topology_.settled()) return;
  while (!operations_.full()) {
    auto row = handover_.NextRow(context, topology_, buckets_);
    if (!row) break;
    StartHandoverRow(context, *std::move(row));
  }
  if (operations_.full()) return;
  if (auto verb = handover_.NextScan(context)) {
    verb->id = operations_.NextId();
    operations_.Insert(HandoverScan());
    context.effects.verbs.push_back(*std::move(verb));
  }
}

void Background::StartHandoverRow(OpContext& context, HandoverRow row) {
  const uint64_t op = operations_.NextId();
  auto& placed = std::get<HandoverRow>(operations_.Insert(std::move(row)));
  removing_ += placed.hint_owner() ? 0 : 1;
  Settle(context, op, placed, placed.Begin(context, op, topology_.epoch()));
}

void Background::StartHints(OpContext& context) {
  if (context.hints.empty()) return;
  while (!operations_.full()) {
    auto start = hints_.Next(context, topology_, buckets_);
    if (!start) return;
    if (auto* handed = std::get_if<HandoverRow>(&start->operation)) {
      StartHandoverRow(context, std::move(*handed));
      continue;
    }
    const uint64_t op = operations_.NextId();
    if (const auto* scan = std::get_if<HintScan>(&start->operation)) {
      context.effects.verbs.push_back(
          storage::StoreVerb{.id = op,
                             .key = std::move(start->from),
                             .action = storage::ScanVerb{.rows_max = HintDelivery::kPageRows,
                                                         .bytes_max = HintDelivery::kPageBytes},
                             .hint_owner = scan->owner});
      operations_.Insert(*scan);
      continue;
    }
    auto& row = std::get<HintRow>(start->operation);
    context.Send(row.to,
                 wire::WriteRequest{.op = op,
                                    .key = row.key,
                                    .record = std::move(start->record),
                                    .durability = static_cast<uint8_t>(storage::Durability::kSync),
                                    .budget = HintDelivery::kRowMax});
    operations_.Insert(std::move(row));
  }
}

void Background::StartTrees(OpContext& context) {
  if (operations_.full()) return;
  auto verb = trees_.Next(context);
  if (!verb) return;
  verb->id = operations_.NextId();
  operations_.Insert(TreeStep());
  context.effects.verbs.push_back(*std::move(verb));
}

void Background::StartExchanges(OpContext& context) {
  while (!operations_.full()) {
    const auto task = anti_entropy_.Next(context);
    if (!task) return;
    const AntiEntropy::Task& of = anti_entropy_.tasks()[*task];
    const uint64_t op = operations_.NextId();
    exchanges_.push_back(op);
    auto& exchange = std::get<SyncExchange>(
        operations_.Insert(SyncExchange({.op = op,
                                         .task = *task,
                                         .partition = of.partition,
                                         .n = of.n,
                                         .peer = of.peer,
                                         .partition_bits = topology_.layout().partition_bits(),
                                         .buckets = &buckets_})));
    exchange.Begin(context);
  }
}

void Background::StartRows(OpContext& context) {
  for (const uint64_t id : exchanges_) {
    for (;;) {
      auto& exchange = std::get<SyncExchange>(*operations_.Find(id));
      if (!exchange.HasRow() || operations_.full()) break;
      if (!context.budget.Take(context.now.monotonic, exchange.NextRow().bytes)) return;
      const uint64_t op = operations_.NextId();
      auto& row = std::get<SyncRow>(operations_.Insert(exchange.TakeRow()));
      row.Begin(context, op);
    }
  }
}

}  // namespace eddy::node
