#include "sim/sim_node.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/core.h>

#include "base/check.h"
#include "storage/hint_key.h"
#include "storage/identity.h"
#include "storage/record_codec.h"

namespace eddy::sim {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A process with nothing in flight has only its lease to look after.
constexpr Duration kIdleTickPeriod = milliseconds(100);
constexpr Duration kStopCheckPeriod = milliseconds(10);
constexpr Duration kStopPatience = seconds(5);
constexpr Duration kFoundAfter = seconds(3600);
// What a slow disk multiplies its times by.
constexpr int kDiskSlowness = 50;
// So few that records come and go.
constexpr size_t kRecordCacheBytes = 4096;

}  // namespace

SimNode::SimNode(const Setting& setting, Random random)
    : setting_(setting),
      world_(setting.world),
      disk_(setting.plan->disk),
      random_(random),
      member_(setting.member),
      waits_(setting.founding == nullptr && setting.plan->joining != Plan::Joining::kFreely) {}

Now SimNode::ProcessNow() const {
  const Duration read = clock_.Read(world_->now);
  const auto wall_ms = std::chrono::duration_cast<milliseconds>(read) + skew_;
  return Now{MonotonicTime(read - started_at_), kWallAtStart + wall_ms};
}

Duration SimNode::Draw(const Span& span) {
  return Duration(random_.Between(static_cast<uint64_t>(span.least.count()),
                                  static_cast<uint64_t>(span.most.count())));
}

Duration SimNode::DrawDisk(const Span& span) {
  const Duration drawn = Draw(span);
  return disk_slow_ ? drawn * kDiskSlowness : drawn;
}

void SimNode::ScheduleMine(Duration after, Event::Kind kind) {
  world_->Schedule(after,
                   Event{.kind = kind, .node = setting_.index, .peer = {}, .argument = life_});
}

// --- The machine

bool SimNode::Start() {
  CHECK(!running());
  ++life_;
  auto identity = storage::OpenIdentity(
      &engine_, {.cluster = std::string(kClusterName), .node = member_.id}, &random_);
  if (!identity) {
    // Whatever was written before the failure is as if the power had gone.
    engine_.Crash(engine_.unsynced_batches());
    return false;
  }
  PlantInIdentity(&*identity);
  started_at_ = clock_.Read(world_->now);
  trees_.emplace(storage::TreeKeeper::Options{
      .partition_bits = setting_.plan->partition_bits,
      .replicas_of = [this](std::string_view bucket) {
        const bool missed = setting_.bug == PlantedBug::kTreeMissed && random_.Chance(1, 200);
        return missed ? uint8_t{0} : setting_.buckets->Find(bucket).n;
      }});
  // Some bugs are planted in the engine, where a cache would hide them.
  store_.emplace(&engine_, identity->lease, &*trees_,
                 setting_.bug == PlantedBug::kNone ? kRecordCacheBytes : 0,
                 storage::HintLedger(setting_.plan->hint_bytes_max, identity->hints),
                 identity->damaged);
  node::NodeOptions options = setting_.plan->node;
  options.membership.cluster = kClusterName;
  // Whoever is to found waits for all, since checking rests on all being there.
  options.membership.founder = setting_.plan->found && setting_.index.value == 0;
  options.membership.found_after = kFoundAfter;
  for (uint32_t i = 1; i < setting_.plan->founders; ++i) {
    options.membership.seeds.push_back(fmt::format("n{}", i));
  }
  if (replaces_) options.membership.replaces = member_.name;
  options.membership.auto_join = setting_.plan->joining != Plan::Joining::kOrdered && !waits_;
  if (identity->layouts.empty() && births_ == 0 && !setting_.plan->found &&
      setting_.founding != nullptr) {
    identity->layouts = ring::LayoutHistory(*setting_.founding).Encode();
  }
  if (setting_.bug == PlantedBug::kLimitsForgotten) {
    options.recent_requests_max = node::NodeOptions().recent_requests_max;
  }
  node_ = std::make_unique<node::Node>(options, *setting_.buckets, member_, *std::move(identity),
                                       random_.Fork());
  node_->NoRoom(disk_full_);
  layout_changes_ = 0;
  world_->trace.Mix(node_->actor().high);
  tick_at_ = world_->now;
  ScheduleMine(Duration{}, Event::Kind::kTick);
  return true;
}

void SimNode::Stop() {
  node_.reset();
  store_.reset();
  trees_.reset();
  stopping_ = false;
  paused_until_ = {};
  verbs_.clear();
  turn_scheduled_ = false;
  commit_scheduled_ = false;
  committed_ = 0;
  synced_ = 0;
  syncing_ = false;
  fetching_.clear();
  awaiting_fetch_.clear();
  scanned_.clear();
}

void SimNode::PowerLoss(Tail tail) {
  CHECK(running());
  Stop();
  // The disk may have been faster than it was asked to be.
  const size_t unsynced = engine_.unsynced_batches();
  engine_.Crash(tail == Tail::kDrawn  ? random_.Below(unsynced + 1)
                : tail == Tail::kKept ? unsynced
                                      : 0);
}

void SimNode::Kill() {
  CHECK(running());
  Stop();
  engine_.Crash(engine_.unsynced_batches());
}

void SimNode::Rebirth(bool lost) {
  CHECK(!running());
  // One that was lost before it got its place is replaced by the next.
  replaces_ = lost;
  waits_ = !lost && setting_.plan->joining != Plan::Joining::kFreely;
  ++births_;
  member_.id.high = setting_.member.id.high + births_;
  engine_ = storage::MemoryEngine();
  stale_records_.clear();
}

void SimNode::BeginStop() {
  CHECK(running());
  stopping_ = true;
  node_->BeginStop(ProcessNow());
  Perform();
  stop_by_ = world_->now + kStopPatience;
  ScheduleMine(Duration{}, Event::Kind::kStopCheck);
}

void SimNode::StopCheck() {
  const bool idle = node_->operations_in_flight() == 0 && verbs_.empty() && fetching_.empty() &&
                    scanned_.empty() && store_->waiting() == 0 && !syncing_;
  if (!idle && world_->now < stop_by_)
    return ScheduleMine(kStopCheckPeriod, Event::Kind::kStopCheck);
  const lattice::History history = node_->history();
  Stop();
  const bool clean = idle && storage::CloseIdentity(&engine_, history).has_value();
  engine_.Crash(engine_.unsynced_batches());
  setting_.listener->Stopped(setting_.index, clean);
}

void SimNode::FailNextCalls() {
  using Call = storage::MemoryEngine::Call;
  const uint64_t which = random_.Below(3);
  const Call call = which == 0 ? Call::kGet : which == 1 ? Call::kWrite : Call::kSync;
  const uint64_t nth = random_.Between(1, 4);
  engine_.FailCall(call, nth, Error{Code::kIo, "the simulated disk failed"});
}

void SimNode::FillDisk(bool full) {
  disk_full_ = full;
  if (running()) node_->NoRoom(full);
}

std::optional<std::string> SimNode::RotOne(const std::function<bool(const std::string& key)>& may) {
  struct Row {
    storage::Space space;
    std::string row;
    std::string key;  // of the record
  };
  std::vector<Row> rows;
  ScanAll(
      storage::Space::kData, [&] { rows.clear(); },
      [&](std::string_view key, std::string_view) {
        rows.push_back({storage::Space::kData, std::string(key), std::string(key)});
        return true;
      });
  const size_t records = rows.size();
  ScanAll(
      storage::Space::kHints, [&] { rows.resize(records); },
      [&](std::string_view row, std::string_view) {
        rows.push_back({storage::Space::kHints, std::string(row),
                        std::string(storage::DecodeHintKey(row)->record_key)});
        return true;
      });
  std::erase_if(rows, [&](const Row& row) { return !may(row.key); });
  if (rows.empty()) return std::nullopt;
  const Row& row = rows[random_.Below(rows.size())];
  if (!engine_.Rot(row.space, row.row, random_.Next() >> 8)) return std::nullopt;
  return row.key;
}

void SimNode::FailNextCall(storage::MemoryEngine::Call call) {
  engine_.FailCall(call, 1, Error{Code::kIo, "the simulated disk failed"});
}

storage::MemoryEngine SimNode::CopyDisk() const {
  CHECK(!running());
  return engine_;
}

void SimNode::RestoreDisk(storage::MemoryEngine disk) {
  CHECK(!running());
  engine_ = std::move(disk);
}

void SimNode::Forget(const std::string& key) {
  CHECK(!running());
  const storage::Write removal{storage::Space::kData, key, std::nullopt};
  CHECK(engine_.Write({removal}, storage::Logging::kLogged).has_value());
  CHECK(engine_.Sync().has_value());
}

bool SimNode::ready() const {
  std::string_view reason;
  return running() && node_->Ready(&reason);
}

bool SimNode::Settled() const {
  const ring::LayoutHistory* history = layouts();
  return history != nullptr && history->live().size() == 1 && node_->orders().empty() &&
         node_->handed_over();
}

bool SimNode::Believes(NodeId other) const {
  const gossip::Swim* swim = running() ? node_->swim() : nullptr;
  const gossip::MemberState* found = swim == nullptr ? nullptr : swim->Find(other);
  return found != nullptr && found->liveness == gossip::Liveness::kAlive && node_->Reachable(other);
}

Status SimNode::Order(ring::LayoutChange change) {
  CHECK(running());
  if (setting_.bug == PlantedBug::kTakenAtOnce &&
      change.kind == ring::LayoutChange::Kind::kTakeOver) {
    change.kind = ring::LayoutChange::Kind::kReplace;
  }
  return node_->Order({&change, 1});
}

bool SimNode::Stage(const ring::LayoutChange& change) {
  CHECK(running());
  const bool staged = node_->Stage(ProcessNow(), {&change, 1}).has_value();
  Perform();
  return staged;
}

std::vector<ring::LayoutChange> SimNode::staged() const {
  const bool is_member = layouts() != nullptr && layouts()->newest().Find(id()) != nullptr;
  return is_member ? node_->StagedWith({}) : std::vector<ring::LayoutChange>();
}

bool SimNode::Commit() {
  CHECK(running());
  const auto plan = node_->PlanOf(node_->StagedWith({}));
  const bool done = plan && node_->Commit(ProcessNow(), plan->layout.digest()).has_value();
  Perform();
  return done;
}

void SimNode::ClearStage() {
  CHECK(running());
  static_cast<void>(node_->ClearStage(ProcessNow()));
  Perform();
}

size_t SimNode::operations_in_flight() const {
  return running() ? node_->operations_in_flight() : 0;
}

std::vector<wire::Counter> SimNode::Counters() const {
  return running() ? node_->Counters() : std::vector<wire::Counter>();
}

std::string SimNode::RecordOf(const std::string& key) {
  std::string stored;
  auto found = engine_.Get(storage::Space::kData, key, storage::Tier::kDisk, &stored);
  // Failures that were planned for others.
  while (!found) found = engine_.Get(storage::Space::kData, key, storage::Tier::kDisk, &stored);
  if (*found == storage::Presence::kAbsent) return {};
  if (!storage::UnsealRecord(key, &stored).has_value()) {
    return fmt::format("rotten at n{}", setting_.index.value);
  }
  return stored;
}

void SimNode::ScanAll(storage::Space space, const std::function<void()>& begin,
                      const storage::Engine::Visitor& visit) {
  do {
    begin();
  } while (!engine_.Scan(space, {}, {}, visit));
}

uint64_t SimNode::RottenCopies(const std::string& key) {
  const auto is_bad = [](std::string_view name, std::string row) {
    return !storage::UnsealRecord(name, &row).has_value();
  };
  const std::string* row = engine_.Peek(storage::Space::kData, key);
  uint64_t record = row != nullptr && is_bad(key, *row) ? 1 : 0;
  uint64_t hints = 0;
  ScanAll(
      storage::Space::kHints, [&] { hints = 0; },
      [&](std::string_view hint, std::string_view stored) {
        const bool of_it = storage::DecodeHintKey(hint)->record_key == key;
        if (of_it && is_bad(hint, std::string(stored))) ++hints;
        return true;
      });
  return record + hints;
}

bool SimNode::HoldsHints() {
  bool any = false;
  ScanAll(
      storage::Space::kHints, [&] { any = false; },
      [&](std::string_view, std::string_view) {
        any = true;
        return false;
      });
  return any;
}

std::map<NodeId, storage::HintUsage> SimNode::Hints() {
  std::map<NodeId, storage::HintUsage> there;
  ScanAll(
      storage::Space::kHints, [&] { there.clear(); },
      [&](std::string_view key, std::string_view row) {
        storage::HintUsage& usage = there[storage::DecodeHintKey(key)->owner];
        ++usage.rows;
        usage.bytes += key.size() + row.size();
        return true;
      });
  return there;
}

bool SimNode::HoldsHintOf(std::string_view key) {
  bool any = false;
  ScanAll(
      storage::Space::kHints, [&] { any = false; },
      [&](std::string_view hint, std::string_view) {
        any = storage::DecodeHintKey(hint)->record_key == key;
        return !any;
      });
  return any;
}

bool SimNode::HintsAreCounted() {
  // A planted bug may lie in the engine, past the store that counts.
  if (!running() || setting_.bug != PlantedBug::kNone) return true;
  return store_->hints().usage() == Hints();
}

bool SimNode::HoldsTombstones() {
  bool any = false;
  ScanAll(
      storage::Space::kData, [&] { any = false; },
      [&](std::string_view key, std::string_view stored) {
        std::string record(stored);
        // What has rotted may be one, until it is mended.
        any = !storage::UnsealRecord(key, &record).has_value() ||
              storage::DecodeRecord(record)->IsTombstone();
        return !any;
      });
  return any;
}

std::optional<VirtualTime> SimNode::EqualSince() const {
  const auto since = running() ? node_->equal_since() : std::nullopt;
  if (!since) return std::nullopt;
  return *since == MonotonicTime::max() ? VirtualTime::max()
                                        : clock_.When(started_at_ + since->time_since_epoch());
}

// --- The process

void SimNode::Submit(uint64_t ticket, wire::ClientRequest request) {
  CHECK(running() && !stopping_);
  // The reply still names the request, but no two attempts are alike.
  if (setting_.bug == PlantedBug::kNoRequestIds) request.id.client = ticket << 8;
  node_->Submit(ProcessNow(), ticket, std::move(request));
  Perform();
}

void SimNode::Receive(NodeId from, wire::PeerMessage message) {
  CHECK(running());
  node_->Receive(ProcessNow(), from, std::move(message));
  Perform();
}

void SimNode::ReceiveDatagram(const gossip::Address& from, std::string_view bytes) {
  CHECK(running());
  node_->ReceivePacket(ProcessNow(), from, bytes);
  Perform();
}

void SimNode::PeerUp(NodeId peer) {
  CHECK(running());
  node_->PeerUp(ProcessNow(), peer);
  Perform();
}

void SimNode::PeerDown(NodeId peer) {
  CHECK(running());
  node_->PeerDown(ProcessNow(), peer);
  Perform();
}

void SimNode::OnEvent(const Event& event) {
  // Fetches are numbered over all lives, and those of an earlier one are forgotten.
  if (event.kind == Event::Kind::kFetched) return FetchDone(event.argument);
  if (!running() || event.argument != life_) return;
  switch (event.kind) {
    case Event::Kind::kTick:
      // A sooner one took its place.
      if (world_->now < tick_at_) return;
      node_->Tick(ProcessNow());
      CheckTables();
      return Perform();
    case Event::Kind::kStoreTurn:
      return StoreTurn();
    case Event::Kind::kStoreCommit:
      return StoreCommit();
    case Event::Kind::kSyncDone:
      return SyncDone();
    case Event::Kind::kStopCheck:
      return StopCheck();
    default:
      CHECK(false);
  }
}

void SimNode::Perform() {
  if (layout_changes_ != node_->layout_changes()) {
    layout_changes_ = node_->layout_changes();
    setting_.listener->Learnt(setting_.index, *node_->layouts());
  }
  node_->TakeEffects(&effects_);
  for (node::Send& send : effects_.sends) {
    if (!PlantInSend(send.to, &send.message)) continue;
    if (const auto* reap = std::get_if<wire::ReapRequest>(&send.message)) {
      setting_.listener->Reaped(setting_.index, reap->key, reap->tombstone);
    }
    setting_.listener->Sent(setting_.index, send.to, std::move(send.message));
  }
  for (gossip::SendPacket& packet : effects_.packets) {
    if (setting_.bug == PlantedBug::kGossipMute) continue;
    setting_.listener->SentDatagram(setting_.index, packet.to, std::move(packet.bytes));
  }
  for (storage::StoreVerb& verb : effects_.verbs) {
    TellReaped(verb);
    TakeVerb(std::move(verb));
  }
  for (node::ClientAnswer& answer : effects_.answers) {
    if (!PlantInAnswer(answer.ticket, &answer.reply)) continue;
    setting_.listener->Answered(setting_.index, answer.ticket, std::move(answer.reply));
  }
  ArmTick();
}

void SimNode::CheckTables() {
  // The node is not the judge of the bounds that it was given.
  const node::NodeOptions& given = setting_.plan->node;
  for (node::TableSize table : node_->Tables()) {
    if (table.table == "recent-requests") table.most = given.recent_requests_max;
    if (table.size > table.most) setting_.listener->Overfull(setting_.index, table);
  }
}

void SimNode::ArmTick() {
  const bool busy = node_->operations_in_flight() > 0 || !ready();
  const Duration period = busy ? node::Node::kTickPeriod : kIdleTickPeriod;
  if (tick_at_ > world_->now && tick_at_ <= world_->now + period) return;
  tick_at_ = world_->now + period;
  ScheduleMine(period, Event::Kind::kTick);
}

}  // namespace eddy::sim
