// What a node does that nobody waits for: delivering hints, keeping hash trees, comparing them with
// the other owners and bringing records level (Dynamo, sections 4.6 and 4.7), and what it does for
// the others' comparisons. Its operations have a table of their own, so that they never take the
// place of a client's, and one budget (section 6.5). Part of the node, on its thread.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "node/anti_entropy.h"
#include "node/handover.h"
#include "node/hint_delivery.h"
#include "node/mender.h"
#include "node/operation.h"
#include "node/operation_table.h"
#include "node/reaper.h"
#include "node/served_op.h"
#include "node/sync_exchange.h"
#include "node/sync_row.h"
#include "node/topology.h"
#include "node/tree_build.h"

namespace eddy::node {

class Background {
 public:
  static constexpr size_t kOperationsMax = 4096;

  // `topology` and `buckets` outlive this. `damaged`: as the store was opened.
  Background(const NodeOptions& options, const Topology& topology, const BucketTable& buckets,
             uint32_t first_generation, const std::vector<storage::TokenRange>& damaged);

  // The topology has changed; what is under way by the old one is given up.
  void Relay(OpContext& context);
  // See AntiEntropy. Not while records are being removed that might be ours again.
  void BeginFill(OpContext& context) { anti_entropy_.BeginFill(context.now.monotonic); }
  bool Filled() const { return anti_entropy_.Filled(); }
  bool Removing() const { return removing_ > 0; }
  size_t partitions_to_hand_over() const { return handover_.left(); }
  bool HandedOver() const { return handover_.done() && removing_ == 0; }
  // Grows whenever something comes that is not ours.
  uint64_t noted() const { return handover_.noted(); }
  // A record with this key is about to be written here, as to an owner; and was. Both, since a scan
  // between the two does not see it yet.
  WrittenTo NoteWrite(const std::string& key);
  void NoteWritten(WrittenTo to);

  // The store has met a bad row.
  void FoundDamage(OpContext& context, const storage::FoundDamage& damage);
  const Mender& mender() const { return mender_; }

  // Whether an operation's id is one of these.
  static bool IsMine(uint64_t op) { return (op & kBase) != 0; }

  // A result of a verb, or a reply, to an operation that IsMine; late ones are dropped. And what
  // other members ask: what makes no sense is counted and dropped.
  void Complete(OpContext& context, storage::StoreResult result);
  void Receive(OpContext& context, PeerIndex from, wire::ReadReply reply);
  void Receive(OpContext& context, PeerIndex from, const wire::WriteReply& reply);
  void Receive(OpContext& context, PeerIndex from, const wire::TreeRequest& request);
  void Receive(OpContext& context, PeerIndex from, const wire::TreeReply& reply);
  void Receive(OpContext& context, PeerIndex from, const wire::SegmentRequest& request);
  void Receive(OpContext& context, PeerIndex from, wire::SegmentReply reply);
  void PeerUp(OpContext& context, PeerIndex peer) {
    anti_entropy_.PeerUp(context.now.monotonic, peer);
  }
  void PeerDown(OpContext& context, PeerIndex peer);
  void Tick(OpContext& context);

  // Starts whatever can start now.
  void Run(OpContext& context);
  // Until Begin, and from BeginStop on, nothing is started; BeginStop also gives up what is under
  // way.
  void Begin() { running_ = true; }
  void BeginStop();

  size_t StartSync(MonotonicTime now, std::optional<uint32_t> partition) {
    return anti_entropy_.Start(now, partition);
  }
  size_t StopSyncs(MonotonicTime now) { return anti_entropy_.Stop(now); }

  // Operations that carry records to others: nothing else here does, but for what a node that is
  // quiet has none of. And whether one of them lives still.
  std::vector<uint64_t> Carriers();
  bool Lives(uint64_t op) { return operations_.Find(op) != nullptr; }
  Reaper& reaper() { return reaper_; }
  const Reaper& reaper() const { return reaper_; }

  size_t in_flight() const { return operations_.size(); }
  const AntiEntropy& anti_entropy() const { return anti_entropy_; }
  const TreeBuild& trees() const { return trees_; }

 private:
  using Operation =
      std::variant<HintScan, HintRow, TreeStep, SyncExchange, SyncRow, ServedTree, ServedSegment,
                   HandoverScan, HandoverRow, ReapScan, ReapRow, MendStep>;

  static constexpr uint32_t kBase = uint32_t{1} << 31;

  // An operation of type Op; null makes the message late.
  template <class Op>
  Op* Find(OpContext& context, uint64_t id);
  // After any handler of an exchange or a row, with what it gave.
  void Settle(OpContext& context, uint64_t id, SyncExchange* exchange);
  void Settle(OpContext& context, uint64_t id, const SyncRow& row, SyncRow::Progress progress);

  void Settle(OpContext& context, uint64_t id, const HandoverRow& row,
              HandoverRow::Progress progress);

  void Settle(OpContext& context, uint64_t id, const ReapRow& row, ReapRow::Progress progress);

  void BeginMend(MonotonicTime now, uint32_t partition);
  void StartMending(OpContext& context);
  void StartHints(OpContext& context);
  void StartReaping(OpContext& context);
  void StartHandover(OpContext& context);
  void StartHandoverRow(OpContext& context, HandoverRow row);
  void StartTrees(OpContext& context);
  void StartExchanges(OpContext& context);
  void StartRows(OpContext& context);

  const Topology& topology_;
  const BucketTable& buckets_;
  OperationTable<Operation> operations_;
  HintDelivery hints_;
  AntiEntropy anti_entropy_;
  TreeBuild trees_;
  Handover handover_;
  Reaper reaper_;
  Mender mender_;
  size_t removing_ = 0;              // records on their way to being handed over
  std::vector<uint64_t> exchanges_;  // under way, by operation
  bool running_ = false;
};

}  // namespace eddy::node
