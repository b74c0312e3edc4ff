#include "node/layout_stage.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "storage/record_codec.h"

namespace eddy::node {

using ring::LayoutChange;
using Kind = LayoutChange::Kind;

namespace {

struct Staged {
  uint64_t version = 0;
  LayoutChange change;
};

std::string EncodeStaged(const Staged& staged) {
  std::string value;
  AppendVarint(&value, staged.version);
  return value + ring::EncodeChanges({&staged.change, 1});
}

std::optional<Staged> DecodeStaged(std::string_view value) {
  ByteReader reader(value);
  const uint64_t version = reader.Varint();
  if (!reader.ok()) return std::nullopt;
  auto changes = ring::DecodeChanges(reader.rest());
  if (!changes || changes->size() != 1) return std::nullopt;
  return Staged{.version = version, .change = std::move(changes->front())};
}

Staged StagedIn(const lattice::Sibling& sibling) {
  auto staged = DecodeStaged(sibling.value);
  CHECK(staged.has_value());  // looked at when it came in
  return *std::move(staged);
}

bool ComesIn(Kind kind) {
  return kind == Kind::kJoin || kind == Kind::kReplace || kind == Kind::kTakeOver;
}

// Whether both say whether one node comes in, or how much another one holds, or where it stands.
// Two that come in by one name are one node, which was wiped in between.
bool SaysOtherwise(const LayoutChange& a, const LayoutChange& b) {
  if (ComesIn(a.kind) && ComesIn(b.kind)) {
    if (a.member.id == b.member.id || a.member.name == b.member.name) return true;
  }
  if (a.kind == Kind::kJoin || b.kind == Kind::kJoin || a.id != b.id) return false;
  return (a.kind == Kind::kZone) == (b.kind == Kind::kZone);
}

lattice::CausalContext ContextOf(const lattice::Dot& dot) {
  lattice::CausalContext context;
  context.Add({.actor = dot.actor, .after = dot.counter - 1, .last = dot.counter});
  return context;
}

// What is dropped stays in the record's context.
bool DropIf(lattice::Record* record, const std::function<bool(const Staged&)>& predicate) {
  lattice::CausalContext dropped;
  for (const lattice::Sibling& sibling : record->siblings()) {
    if (predicate(StagedIn(sibling))) dropped.Join(ContextOf(sibling.dot));
  }
  if (dropped.empty()) return false;
  record->Delete(dropped);
  return true;
}

}  // namespace

std::vector<LayoutChange> LayoutStage::changes() const {
  std::vector<LayoutChange> changes;
  for (const lattice::Sibling& sibling : record_.siblings()) {
    changes.push_back(StagedIn(sibling).change);
  }
  return changes;
}

void LayoutStage::Add(const LayoutChange& change, uint64_t version) {
  DropIf(&record_, [&](const Staged& staged) { return SaysOtherwise(staged.change, change); });
  lattice::Sibling sibling;
  sibling.dot = {.actor = actor_, .counter = ++minted_};
  sibling.value = EncodeStaged({.version = version, .change = change});
  record_.Put({}, std::move(sibling), {});
}

bool LayoutStage::AddAsker(const ring::Member& asker, uint64_t version) {
  // Named after the node, so two members that stage it at once stage one thing.
  const lattice::Dot dot{.actor = ActorId{asker.id.high, asker.id.low}, .counter = 1};
  if (record_.context().Covers(dot)) return false;
  const LayoutChange join{.kind = Kind::kJoin, .id = asker.id, .member = asker};
  // Of its own former life, which nobody lets in any more.
  DropIf(&record_, [&](const Staged& staged) {
    return staged.change.kind == Kind::kJoin && staged.change.member.name == asker.name;
  });
  lattice::Sibling sibling;
  sibling.dot = dot;
  sibling.value = EncodeStaged({.version = version, .change = join});
  record_.Put({}, std::move(sibling), {});
  return true;
}

bool LayoutStage::Review(const ring::Layout& newest) {
  return DropIf(&record_, [&](const Staged& staged) {
    // By an older layout than that it was staged with, nothing can be said of it.
    if (newest.version() < staged.version) return false;
    const LayoutChange& change = staged.change;
    const bool is_in = change.kind == Kind::kJoin && newest.Find(change.member.id) != nullptr;
    return is_in || IsDone(newest, change) || !MembersAfter(newest, {&change, 1});
  });
}

bool LayoutStage::Join(const LayoutStage& other) {
  lattice::Record before = record_;
  record_.Join(other.record_);
  return record_ != before;
}

std::string LayoutStage::Encode() const { return storage::EncodeRecord(record_); }

Result<LayoutStage> LayoutStage::Decode(std::string_view bytes) {
  auto record = storage::DecodeRecord(bytes);
  if (!record) return std::unexpected(record.error());
  for (const lattice::Sibling& sibling : record->siblings()) {
    if (!DecodeStaged(sibling.value)) return Fail(Code::kCorruption, "not a staged change");
  }
  LayoutStage stage{ActorId()};
  stage.record_ = *std::move(record);
  return stage;
}

}  // namespace eddy::node
