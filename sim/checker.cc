#include "sim/checker.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "base/check.h"
#include "node/bucket.h"
#include "sim/value.h"
#include "storage/record_codec.h"
#include "wire/context_token.h"

namespace eddy::sim {

namespace {

using std::chrono::milliseconds;

// Where a code says that nothing was done. The others leave it open.
bool SaysNotDone(Code code) { return code != Code::kUnknownOutcome && code != Code::kTimeout; }

// The order in which an `lww` bucket's readers choose.
bool WinsOver(Timestamp a_time, const lattice::Dot& a, Timestamp b_time, const lattice::Dot& b) {
  return std::tie(a_time, a) > std::tie(b_time, b);
}

}  // namespace

Checker::Checker(World* world, const Plan& plan, const std::vector<SimKey>& keys)
    : world_(world), plan_(plan), sim_keys_(keys), operations_(1), keys_(keys.size()) {
  for (uint32_t i = 0; i < keys.size(); ++i) key_by_encoded_.emplace(keys[i].encoded, i);
}

void Checker::Fail(std::string what) {
  if (violation_.empty()) {
    world_->trace.Tell(world_->now, "BROKEN: {}", what);
    violation_ = std::move(what);
  }
}

std::string Checker::Name(uint64_t number) const {
  const Operation& operation = operations_[number];
  static constexpr std::array<std::string_view, 3> kKindNames = {"get", "put", "delete"};
  const SimKey& key = sim_keys_[operation.key.value];
  return fmt::format("{} #{} of {}/{}", kKindNames[static_cast<size_t>(operation.kind)], number,
                     plan_.buckets[key.bucket].name, key.key);
}

milliseconds Checker::WrongAtMost(VirtualTime at) const {
  const Duration drift = at.time_since_epoch() * plan_.drift_ppm_max / 1'000'000;
  return plan_.clock_skew_max + std::chrono::ceil<milliseconds>(drift);
}

WallTime Checker::Slowest(VirtualTime at) const {
  return kWallAtStart + std::chrono::duration_cast<milliseconds>(at.time_since_epoch()) -
         WrongAtMost(at);
}

WallTime Checker::Fastest(VirtualTime at) const {
  return kWallAtStart + std::chrono::duration_cast<milliseconds>(at.time_since_epoch()) +
         WrongAtMost(at);
}

uint64_t Checker::LossesAt(KeyIndex key, NodeIndex node) const {
  const storage::Durability durability =
      BucketOf(key).durability.value_or(storage::Durability::kSync);
  uint64_t losses = disks_lost_[node.value];
  if (durability != storage::Durability::kSync) losses += powers_lost_[node.value];
  if (durability == storage::Durability::kMemory) losses += processes_lost_[node.value];
  return losses;
}

uint64_t Checker::LossesOf(KeyIndex key, uint8_t n) const {
  // Where lists change, any node may have been of the n.
  if (plan_.MembersChange()) return AllLossesOf(key);
  const std::vector<NodeIndex>& walk = sim_keys_[key.value].walk;
  uint64_t losses = 0;
  for (size_t place = 0; place < n && place < walk.size(); ++place) {
    losses += LossesAt(key, walk[place]);
  }
  return losses;
}

uint64_t Checker::AllLossesOf(KeyIndex key) const {
  uint64_t losses = 0;
  for (uint8_t node = 0; node < plan_.nodes; ++node) losses += LossesAt(key, NodeIndex{node});
  return losses;
}

void Checker::ProcessLost(NodeIndex node) { ++processes_lost_[node.value]; }
void Checker::PowerLost(NodeIndex node) { ++powers_lost_[node.value]; }
void Checker::DiskLost(NodeIndex node) { ++disks_lost_[node.value]; }

void Checker::RecordLost(std::string_view key) {
  ++keys_[key_by_encoded_.at(key)].rots;
  ++histories_;
}

const Checker::Write* Checker::Find(KeyIndex key, const lattice::Dot& dot) const {
  const auto found = dots_.find(dot);
  if (found == dots_.end() || found->second.first != key.value) return nullptr;
  return &keys_[key.value].writes[found->second.second];
}

std::optional<lattice::CausalContext> Checker::TokenContext(KeyIndex key,
                                                            const std::string& token) const {
  const SimKey& named = sim_keys_[key.value];
  auto context = wire::DecodeContextToken(token, plan_.buckets[named.bucket].name, named.key);
  if (!context) return std::nullopt;
  return *std::move(context);
}

void Checker::MarkReplaced(Key* key, const lattice::CausalContext& seen) {
  if (seen.empty()) return;
  std::erase_if(key->live, [&](uint32_t index) {
    Write& write = key->writes[index];
    if (seen.Covers(write.dot)) write.replaced = true;
    return write.replaced;
  });
}

// --- What clients do

void Checker::Invoked(uint64_t number, KeyIndex key, const wire::ClientRequest& request,
                      bool must_fail) {
  CHECK(number == operations_.size());
  Operation& operation = operations_.emplace_back();
  operation.key = key;
  operation.at = ++clock_;
  operation.time = world_->now;
  operation.must_fail = must_fail;
  if (must_fail) return;

  const node::BucketProperties& bucket = BucketOf(key);
  // The quorums as the documentation of a request has them, worked out here once more.
  const uint8_t n = request.quorum.n.value_or(bucket.n);
  node::Quorum& quorum = operation.quorum;
  quorum.n = static_cast<uint8_t>(std::min<size_t>(n, sim_keys_[key.value].walk.size()));
  const auto majority = static_cast<uint8_t>(quorum.n / 2 + 1);
  quorum.pr = request.quorum.pr.value_or(bucket.pr);
  quorum.pw = request.quorum.pw.value_or(bucket.pw);
  quorum.r = std::max(request.quorum.r.value_or(bucket.r.value_or(majority)), quorum.pr);
  quorum.w = std::max(request.quorum.w.value_or(bucket.w.value_or(majority)), quorum.pw);
  operation.losses = LossesOf(key, quorum.n);
  operation.all_losses = AllLossesOf(key);
  operation.rots = keys_[key.value].rots;
  if (operation.rots > 0 && rotten_now_) {
    operation.rots -= std::min(operation.rots, rotten_now_(key));
  }

  Key& state = keys_[key.value];
  std::string token;
  if (const auto* put = std::get_if<wire::PutAction>(&request.action)) {
    operation.kind = Kind::kPut;
    operation.expires_at = put->expires_at;
    operation.value_bytes = static_cast<uint32_t>(put->value.size());
    token = put->context;
  } else if (const auto* remove = std::get_if<wire::DeleteAction>(&request.action)) {
    operation.kind = Kind::kDelete;
    token = remove->context;
  } else {
    operation.all_siblings = std::get<wire::GetAction>(request.action).all_siblings;
    state.reads_since.push_back(operation.at);
    return;
  }
  operation.blind = token.empty();
  if (operation.blind) return;
  const auto seen = TokenContext(key, token);
  CHECK(seen.has_value());
  operation.seen = *seen;
  // From now on what it has seen may go.
  MarkReplaced(&state, operation.seen);
}

void Checker::Answered(uint64_t number, const wire::ClientReply& reply) {
  Operation& operation = operations_[number];
  ++checked_;
  if (reply.id.sequence != number) {
    return Fail(fmt::format("{}: the reply is to #{}", Name(number), reply.id.sequence));
  }
  if (operation.must_fail) {
    if (!reply.error) Fail(fmt::format("#{}: a bad request was not refused", number));
    return;
  }
  if (reply.error) {
    const bool is_read = operation.kind == Kind::kGet;
    const Code wrong = is_read ? Code::kUnknownOutcome : Code::kTimeout;
    if (reply.error->code == wrong || reply.error->code == Code::kInvalidArgument) {
      return Fail(fmt::format("{}: a wrong error: {}", Name(number), reply.error->text));
    }
    if (!SaysNotDone(reply.error->code)) operation.open_outcomes = true;
    return;
  }
  const uint8_t needed = operation.kind == Kind::kGet ? operation.quorum.r : operation.quorum.w;
  if (reply.needed != needed || reply.answered < needed) {
    return Fail(fmt::format("{}: {} of {} replicas answered, where {} are needed", Name(number),
                            reply.answered, reply.needed, needed));
  }
  const uint8_t owners = operation.kind == Kind::kGet ? operation.quorum.pr : operation.quorum.pw;
  // While lists change a reply counts where fewest are behind it.
  const bool too_few = reply.primaries < owners && !plan_.MembersChange();
  if (too_few || reply.primaries > reply.answered) {
    return Fail(fmt::format("{}: {} of the {} that answered are owners, where {} must be",
                            Name(number), reply.primaries, reply.answered, owners));
  }
  ++acknowledged_;
  operation.done = true;
  if (operation.kind == Kind::kGet) {
    ReadDone(number, &operation, reply);
  } else {
    WriteDone(number, &operation, reply);
  }
}

void Checker::Ended(uint64_t number) {
  Operation& operation = operations_[number];
  if (operation.kind == Kind::kGet) {
    if (!operation.must_fail) std::erase(keys_[operation.key.value].reads_since, operation.at);
    return;
  }
  operation.refused = !operation.done && !operation.open_outcomes;
  if (operation.refused && !operation.writes.empty() && plan_.network.ordered) {
    Fail(fmt::format("{}: reported as not done, and applied as {}", Name(number),
                     Describe(keys_[operation.key.value].writes[operation.writes[0]].dot)));
  }
}

// --- What stores do

void Checker::Applied(NodeIndex at, uint64_t life, const AppliedWrite& applied) {
  ++clock_;
  const auto named = key_by_encoded_.find(applied.key);
  if (named == key_by_encoded_.end()) return Fail("a write to a key that nobody named");
  const KeyIndex key_index{named->second};
  Key& key = keys_[key_index.value];
  // A hint that comes into being is remembered since then only.
  if (applied.stands_in) ++histories_;
  lattice::CausalContext swept;
  if (applied.saw_all) {
    const auto record = storage::DecodeRecord(applied.record);
    CHECK(record.has_value());
    swept = record->context();
  }
  if (applied.sibling == nullptr) {
    if (!applied.saw_all) return;
    MarkReplaced(&key, swept);
    key.sweeps.emplace_back(clock_, std::move(swept));
    return;
  }

  const lattice::Sibling& sibling = *applied.sibling;
  const auto number = OperationOfValue(sibling.value);
  if (!number || *number >= operations_.size()) {
    return Fail(fmt::format("n{} stored a value that nobody wrote, as {}", at.value,
                            Describe(sibling.dot)));
  }
  Operation& operation = operations_[*number];
  if (operation.kind != Kind::kPut || operation.key != key_index ||
      operation.value_bytes != sibling.value.size()) {
    return Fail(fmt::format("n{} stored the value of {} elsewhere", at.value, Name(*number)));
  }
  if (operation.must_fail || (operation.refused && plan_.network.ordered)) {
    Fail(fmt::format("{}: reported as not done, and then applied as {}", Name(*number),
                     Describe(sibling.dot)));
  }
  CheckCap(*number, operation, key_index, applied);
  const milliseconds ttl = BucketOf(key_index).ttl;
  const bool expiry_right = operation.expires_at != lattice::Sibling::kNever || ttl.count() == 0
                                ? sibling.expires_at == operation.expires_at
                                : sibling.expires_at >= Slowest(operation.time) + ttl &&
                                      sibling.expires_at <= Fastest(world_->now) + ttl;
  if (!expiry_right) Fail(fmt::format("{}: stored with a wrong expiry", Name(*number)));

  const auto index = static_cast<uint32_t>(key.writes.size());
  if (!dots_.emplace(sibling.dot, std::pair(key_index.value, index)).second) {
    return Fail(
        fmt::format("{}: its dot {} was given before", Name(*number), Describe(sibling.dot)));
  }
  Write write{.dot = sibling.dot,
              .operation = *number,
              .timestamp = sibling.timestamp,
              .expires_at = sibling.expires_at,
              .seen = operation.seen};
  // The newest dot of the key is in what the record has seen, but is not replaced: it is not listed
  // yet.
  const bool lww = BucketOf(key_index).conflict == node::Conflict::kLastWriter;
  if (operation.blind && lww && applied.saw_all) {
    MarkReplaced(&key, swept);
    write.seen = std::move(swept);
  }
  key.writes.push_back(std::move(write));
  key.live.push_back(index);
  if (sibling.expires_at != lattice::Sibling::kNever) key.expiring.push_back(index);

  operation.writes.push_back(index);
  // Packets that are repeated ask more often than clients do, and a small memory forgets who asked.
  const bool remembers = plan_.node.recent_requests_max == node::NodeOptions{}.recent_requests_max;
  const std::pair coordinator(at, life);
  if (remembers &&
      std::ranges::find(operation.coordinators, coordinator) != operation.coordinators.end()) {
    Fail(fmt::format("{}: n{} made two dots of it", Name(*number), at.value));
  }
  if (remembers && plan_.network.ordered && operation.writes.size() > operation.attempts) {
    Fail(fmt::format("{}: {} dots of {} attempts", Name(*number), operation.writes.size(),
                     operation.attempts));
  }
  operation.coordinators.push_back(coordinator);
}

// Who resolves nothing cannot make a key grow without end.
void Checker::CheckCap(uint64_t number, const Operation& operation, KeyIndex key_index,
                       const AppliedWrite& applied) {
  const WallTime at = applied.sibling->timestamp.wall();
  // One that has expired before it was written adds nothing that is shown.
  if (!operation.blind || applied.saw_all || applied.sibling->ExpiredAt(at)) return;
  const auto record = storage::DecodeRecord(applied.record);
  CHECK(record.has_value());
  const auto shown = std::ranges::count_if(
      record->siblings(), [&](const lattice::Sibling& sibling) { return !sibling.ExpiredAt(at); });
  if (std::cmp_greater(shown, BucketOf(key_index).siblings_max)) {
    Fail(fmt::format("{}: replaced nothing, and was taken as sibling number {}", Name(number),
                     shown));
  }
}

void Checker::Reaped(std::string_view encoded_key, std::string_view tombstone) {
  ++clock_;
  // The record may come into being anew.
  ++histories_;
  const auto named = key_by_encoded_.find(encoded_key);
  const auto record = storage::DecodeRecord(tombstone);
  CHECK(named != key_by_encoded_.end() && record);
  Key& key = keys_[named->second];
  for (const lattice::Sibling& sibling : record->siblings()) {
    if (!sibling.ExpiredAt(Fastest(world_->now))) {
      Fail(fmt::format("{} was reaped alive", Describe(sibling.dot)));
    }
  }
  key.reaped.Join(record->context());
  // What has expired is gone by each reader's own clock.
  if (!record->IsTombstone()) return;
  if (!key.reapings.empty() && key.reapings.back().second == record->context()) return;
  key.reapings.emplace_back(clock_, record->context());
}

// --- What clients are told

void Checker::WriteDone(uint64_t number, Operation* operation, const wire::ClientReply& reply) {
  Key& key = keys_[operation->key.value];
  const auto context = TokenContext(operation->key, reply.context);
  if (!context) return Fail(fmt::format("{}: a context that cannot be read", Name(number)));
  Fact fact = FactOf(number, *operation, reply, *context);
  fact.whole = true;

  if (operation->kind == Kind::kDelete) {
    fact.context.Join(operation->seen);
    if (operation->blind) {
      // Which of several it was nobody says.
      const auto first = std::ranges::lower_bound(key.sweeps, operation->at, {},
                                                  [](const auto& sweep) { return sweep.first; });
      if (key.sweeps.end() - first != 1) return;
      fact.context.Join(first->second);
    }
    if (!fact.context.empty()) AddFact(operation->key, std::move(fact));
    return;
  }

  if (operation->writes.empty()) {
    return Fail(fmt::format("{}: acknowledged, and never applied", Name(number)));
  }
  // An empty context says nothing of which dot it was; with several attempts there can be several.
  if (fact.context.empty() && operation->writes.size() == 1) {
    const Write& write = key.writes[operation->writes[0]];
    fact.context = write.seen;
    fact.context.Add({write.dot.actor, write.dot.counter - 1, write.dot.counter});
  }
  if (fact.context.empty()) return;
  for (const uint32_t index : operation->writes) {
    if (fact.context.Covers(key.writes[index].dot)) fact.shown.push_back(key.writes[index].dot);
  }
  if (fact.shown.empty()) {
    return Fail(fmt::format("{}: its context does not hold its own dot", Name(number)));
  }
  const bool lww = BucketOf(operation->key).conflict == node::Conflict::kLastWriter;
  for (const uint32_t index : key.live) {
    const Write& write = key.writes[index];
    if (write.operation != number && fact.context.Covers(write.dot) && !(operation->blind && lww) &&
        !operation->seen.Covers(write.dot)) {
      return Fail(fmt::format("{}: its context claims {} ({}), which its client has not seen",
                              Name(number), Describe(write.dot), Name(write.operation)));
    }
  }
  AddFact(operation->key, std::move(fact));
}

bool Checker::ShowsAll(const Operation& operation) const {
  return operation.all_siblings || BucketOf(operation.key).conflict == node::Conflict::kSiblings;
}

void Checker::ReadDone(uint64_t number, Operation* operation, const wire::ClientReply& reply) {
  const auto seen = TokenContext(operation->key, reply.context);
  if (!seen) return Fail(fmt::format("{}: a context that cannot be read", Name(number)));
  if (seen->empty() && reply.primaries == 0 && !plan_.MembersChange()) {
    Fail(fmt::format("{}: says that nothing is there, and no owner has said so", Name(number)));
  }
  CheckShown(number, *operation, reply, *seen);
  CheckConcurrent(number, *operation, reply);
  if (ShowsAll(*operation)) {
    CheckNothingForgotten(number, *operation, reply, *seen);
  } else {
    CheckLastWriter(number, *operation, reply, *seen);
  }
  CheckNotBehind(number, *operation, reply, *seen);
  if (!violation_.empty() || seen->empty()) return;

  Key& key = keys_[operation->key.value];
  Fact fact = FactOf(number, *operation, reply, *seen);
  fact.whole = ShowsAll(*operation);
  for (const wire::ShownSibling& sibling : reply.siblings) fact.shown.push_back(sibling.dot);
  for (const uint32_t index : key.expiring) {
    const Write& write = key.writes[index];
    if (write.expires_at <= Fastest(world_->now)) fact.shown.push_back(write.dot);
  }
  AddFact(operation->key, std::move(fact));
}

void Checker::CheckShown(uint64_t number, const Operation& operation,
                         const wire::ClientReply& reply, const lattice::CausalContext& seen) {
  if (!ShowsAll(operation) && reply.siblings.size() > 1) {
    Fail(fmt::format("{}: shows {} values of an lww bucket", Name(number), reply.siblings.size()));
  }
  for (size_t i = 0; i < reply.siblings.size(); ++i) {
    const wire::ShownSibling& sibling = reply.siblings[i];
    const Write* write = Find(operation.key, sibling.dot);
    if (write == nullptr || OperationOfValue(sibling.value) != write->operation ||
        sibling.value.size() != operations_[write->operation].value_bytes ||
        sibling.timestamp != write->timestamp || sibling.expires_at != write->expires_at) {
      return Fail(fmt::format("{}: shows {}, which was never written so", Name(number),
                              Describe(sibling.dot)));
    }
    if (!seen.Covers(sibling.dot)) {
      Fail(fmt::format("{}: shows {} and has not seen it", Name(number), Describe(sibling.dot)));
    }
    if (i > 0 && !(reply.siblings[i - 1].dot < sibling.dot)) {
      Fail(fmt::format("{}: siblings out of order", Name(number)));
    }
    if (sibling.expires_at <= Slowest(operation.time)) {
      Fail(fmt::format("{}: shows {}, which has expired on every clock", Name(number),
                       Describe(sibling.dot)));
    }
  }
}

void Checker::CheckConcurrent(uint64_t number, const Operation& operation,
                              const wire::ClientReply& reply) {
  for (const wire::ShownSibling& later : reply.siblings) {
    const Write* write = Find(operation.key, later.dot);
    if (write == nullptr) continue;
    for (const wire::ShownSibling& earlier : reply.siblings) {
      if (earlier.dot != later.dot && write->seen.Covers(earlier.dot)) {
        return Fail(fmt::format("{}: shows {} beside {}, whose writer had seen it", Name(number),
                                Describe(earlier.dot), Describe(later.dot)));
      }
    }
  }
}

void Checker::CheckNothingForgotten(uint64_t number, const Operation& operation,
                                    const wire::ClientReply& reply,
                                    const lattice::CausalContext& seen) {
  const Key& key = keys_[operation.key.value];
  for (const uint32_t index : key.live) {
    const Write& write = key.writes[index];
    if (!seen.Covers(write.dot) || write.expires_at <= Fastest(world_->now)) continue;
    const bool shown = std::ranges::any_of(reply.siblings, [&](const wire::ShownSibling& sibling) {
      return sibling.dot == write.dot;
    });
    if (!shown) {
      return Fail(
          fmt::format("{}: claims to have seen {} ({}), which nobody replaced, and does "
                      "not show it",
                      Name(number), Describe(write.dot), Name(write.operation)));
    }
  }
}

void Checker::CheckLastWriter(uint64_t number, const Operation& operation,
                              const wire::ClientReply& reply, const lattice::CausalContext& seen) {
  const Key& key = keys_[operation.key.value];
  const Write* greatest = nullptr;
  for (const uint32_t index : key.live) {
    const Write& write = key.writes[index];
    if (!seen.Covers(write.dot)) continue;
    if (greatest == nullptr ||
        WinsOver(write.timestamp, write.dot, greatest->timestamp, greatest->dot)) {
      greatest = &write;
    }
  }
  if (greatest == nullptr) return;
  if (reply.siblings.size() == 1) {
    const wire::ShownSibling& shown = reply.siblings[0];
    if (WinsOver(greatest->timestamp, greatest->dot, shown.timestamp, shown.dot)) {
      Fail(fmt::format("{}: shows {}, but {} is later", Name(number), Describe(shown.dot),
                       Describe(greatest->dot)));
    }
    return;
  }
  // Nothing shows if the winner has expired, be it one that a write of unknown outcome meant to
  // replace.
  const WallTime fastest = Fastest(world_->now);
  const bool expired = std::ranges::any_of(key.expiring, [&](uint32_t index) {
    const Write& write = key.writes[index];
    return write.expires_at <= fastest && seen.Covers(write.dot) &&
           !WinsOver(greatest->timestamp, greatest->dot, write.timestamp, write.dot);
  });
  if (!expired) {
    Fail(fmt::format("{}: claims to have seen {} ({}), which nobody replaced, and shows nothing",
                     Name(number), Describe(greatest->dot), Name(greatest->operation)));
  }
}

void Checker::CheckNotBehind(uint64_t number, const Operation& operation,
                             const wire::ClientReply& reply, const lattice::CausalContext& told) {
  const Key& key = keys_[operation.key.value];
  for (const wire::ShownSibling& sibling : reply.siblings) {
    for (const auto& [at, tombstone] : key.reapings) {
      if (at < operation.at && tombstone.Covers(sibling.dot)) {
        return Fail(fmt::format("{}: shows {} again, whose tombstone was reaped", Name(number),
                                Describe(sibling.dot)));
      }
    }
  }
  lattice::CausalContext seen = told;
  seen.Join(key.reaped);
  for (const Fact& fact : key.facts) {
    if (fact.at > operation.at) continue;
    const uint64_t strength = StrengthOf(operation.key, fact);
    if (strength == 0) continue;
    const uint8_t owners = std::min(reply.primaries, operation.quorum.r);
    if (strength + owners <= std::max(fact.n, operation.quorum.n)) continue;
    if (!seen.Covers(fact.context)) {
      return Fail(fmt::format("{}: has seen {}, but {} was told {} before it began", Name(number),
                              Describe(seen), Name(fact.operation), Describe(fact.context)));
    }
    if (!fact.whole) continue;
    for (const wire::ShownSibling& sibling : reply.siblings) {
      const bool gone = fact.context.Covers(sibling.dot) &&
                        std::ranges::find(fact.shown, sibling.dot) == fact.shown.end();
      if (gone) {
        return Fail(fmt::format("{}: shows {} again, which was gone when {} ended", Name(number),
                                Describe(sibling.dot), Name(fact.operation)));
      }
    }
  }
}

Checker::Fact Checker::FactOf(uint64_t number, const Operation& operation,
                              const wire::ClientReply& reply, lattice::CausalContext context) {
  const node::Quorum& quorum = operation.quorum;
  const bool reads = operation.kind == Kind::kGet;
  const uint8_t owners = std::min(reply.primaries, reads ? quorum.r : quorum.w);
  return Fact{.operation = number,
              .at = ++clock_,
              .context = std::move(context),
              .shown = {},
              .whole = false,
              .owners = owners,
              .strength = reads ? owners : quorum.w,
              .n = quorum.n,
              .losses = operation.losses,
              .all_losses = operation.all_losses,
              .rots = operation.rots,
              .outdated_at = 0};
}

uint64_t Checker::StrengthOf(KeyIndex key, const Fact& fact) const {
  const uint64_t lost = LossesOf(key, fact.n) - fact.losses;
  const uint64_t rotted = keys_[key.value].rots - fact.rots;
  // Of those that have it still, one has to have it whole.
  const auto of = [&](uint64_t holders, uint64_t losses) {
    return holders > losses + rotted ? holders - losses : 0;
  };
  const uint64_t owners = of(fact.owners, lost);
  if (!hints_delivered_) return owners;
  return std::max(owners, of(fact.strength, AllLossesOf(key) - fact.all_losses));
}

// One fact makes another superfluous if whoever heeds it heeds both.
void Checker::AddFact(KeyIndex key_index, Fact fact) {
  Key& key = keys_[key_index.value];
  const auto says_all_of = [](const Fact& a, const Fact& b) {
    if (a.n != b.n || a.owners + a.losses < b.owners + b.losses ||
        a.strength + a.all_losses < b.strength + b.all_losses ||
        a.owners + a.rots < b.owners + b.rots || a.strength + a.rots < b.strength + b.rots) {
      return false;
    }
    if (!a.context.Covers(b.context)) return false;
    if (!b.whole) return true;
    return a.whole && std::ranges::none_of(a.shown, [&](const lattice::Dot& dot) {
             return b.context.Covers(dot) && std::ranges::find(b.shown, dot) == b.shown.end();
           });
  };
  const uint64_t oldest_read =
      key.reads_since.empty() ? fact.at : std::ranges::min(key.reads_since);
  std::erase_if(key.facts, [&](const Fact& old) {
    return old.outdated_at != 0 && old.outdated_at < oldest_read;
  });
  for (Fact& old : key.facts) {
    if (old.outdated_at != 0) continue;
    if (says_all_of(old, fact)) return;
    if (says_all_of(fact, old)) old.outdated_at = fact.at;
  }
  key.facts.push_back(std::move(fact));
}

void Checker::CheckFinal(KeyIndex key_index, std::string_view encoded) {
  const auto record = storage::DecodeRecord(encoded);
  if (!record) return Fail("a replica holds bytes that are no record");
  // An interval opens when an actor first writes a key, and when a history begins anew, each time
  // once for every put that was under way then, and at no other time: contexts do not grow with
  // the number of writes. But what was reaped is known by what clients remember of it alone, of
  // which each has seen another part: then there are no more intervals than writes for them to end
  // at.
  const Key& key = keys_[key_index.value];
  std::map<ActorId, uint64_t> intervals;
  for (const lattice::Interval& interval : record->context().intervals()) {
    // A client that has given an attempt up may have several under way.
    uint64_t most =
        (1 + histories_) * plan_.workload.clients * uint64_t{plan_.workload.attempts_max};
    if (!key.reaped.empty()) {
      const auto written = std::ranges::count_if(
          key.writes, [&](const Write& write) { return write.dot.actor == interval.actor; });
      most = std::max(most, static_cast<uint64_t>(written));
    }
    if (++intervals[interval.actor] > most) {
      return Fail(fmt::format("a context has grown beyond {} intervals of an actor: {}", most,
                              Describe(record->context())));
    }
  }
  for (const lattice::Sibling& sibling : record->siblings()) {
    if (Find(key_index, sibling.dot) == nullptr) {
      Fail(fmt::format("a replica holds {}, which nobody wrote", Describe(sibling.dot)));
    }
  }
}

}  // namespace eddy::sim
