#include "ring/layout_change.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/bytes.h"

namespace eddy::ring {

namespace {

using Kind = LayoutChange::Kind;

std::string NameOf(const Layout& layout, NodeId id) {
  const Member* member = layout.Find(id);
  return member != nullptr ? member->name : id.ToHex();
}

Status Apply(const LayoutChange& change, std::vector<Member>* members) {
  const auto find = [&](NodeId id) { return std::ranges::find(*members, id, &Member::id); };
  const bool comes_for_another = change.kind == Kind::kReplace || change.kind == Kind::kTakeOver;
  const auto at = find(change.id);
  if (at == members->end() && change.kind != Kind::kJoin) {
    return Fail(Code::kInvalidArgument,
                fmt::format("node {} is no member of the cluster", change.id.ToHex()));
  }
  if (comes_for_another || change.kind == Kind::kJoin) {
    const auto same = find(change.member.id);
    if (comes_for_another && same != members->end()) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("{} is a member already: what comes in the place of another one must "
                              "be a node that waits to join",
                              same->name));
    }
    if (change.kind == Kind::kTakeOver && at->name == change.member.name) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("both are named '{}', and both are members while data moves: give "
                              "the new one a name of its own, or, if the old one is lost for "
                              "ever, say so with --force",
                              at->name));
    }
    if (change.kind == Kind::kTakeOver && at->leaving) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("{} is leaving already, and others take what it held: let {} join",
                              at->name, change.member.name));
    }
    for (auto other = members->begin(); other != members->end(); ++other) {
      const bool goes = change.kind == Kind::kReplace && other == at;
      if (other == same || goes || other->name != change.member.name) continue;
      return Fail(Code::kInvalidArgument,
                  fmt::format("another node is named '{0}' already: if that one is lost for ever, "
                              "start this one with --replace {0}, or say 'eddyctl cluster replace "
                              "{0} {0} --force'; if not, give this one a name of its own",
                              change.member.name));
    }
    if (same != members->end()) {
      // It is in already, and is somewhere else now.
      same->doors = change.member.doors;
      return {};
    }
    Member member = change.member;
    if (comes_for_another) {
      if (!at->leaving) member.weight = at->weight;
      if (member.zone.empty()) member.zone = at->zone;
    }
    if (change.kind == Kind::kReplace) members->erase(at);
    if (change.kind == Kind::kTakeOver) {
      at->weight = 0;
      at->leaving = true;
    }
    members->push_back(std::move(member));
    return {};
  }
  switch (change.kind) {
    case Kind::kLeave:
      at->weight = 0;
      at->leaving = true;
      break;
    case Kind::kRemove:
      members->erase(at);
      break;
    case Kind::kWeight:
      at->weight = change.member.weight;
      at->leaving = false;
      break;
    case Kind::kZone:
      at->zone = change.member.zone;
      break;
    default:
      break;
  }
  return {};
}

}  // namespace

std::string Describe(const Layout& layout, const LayoutChange& change) {
  switch (change.kind) {
    case Kind::kJoin:
      return fmt::format("{} joins", change.member.name);
    case Kind::kReplace:
      return fmt::format("{} comes in the place of {}, which is lost", change.member.name,
                         NameOf(layout, change.id));
    case Kind::kTakeOver:
      return fmt::format("{} takes over from {}", change.member.name, NameOf(layout, change.id));
    case Kind::kLeave:
      return fmt::format("{} leaves", NameOf(layout, change.id));
    case Kind::kRemove:
      return fmt::format("{} is removed", NameOf(layout, change.id));
    case Kind::kWeight:
      return fmt::format("{} gets weight {}", NameOf(layout, change.id), change.member.weight);
    case Kind::kZone:
      return fmt::format("{} gets zone '{}'", NameOf(layout, change.id), change.member.zone);
  }
  return "an unknown change";
}

bool IsDone(const Layout& layout, const LayoutChange& change) {
  const Member* of = layout.Find(change.id);
  const Member* in = layout.Find(change.member.id);
  switch (change.kind) {
    case Kind::kJoin:
      return in != nullptr && in->doors == change.member.doors;
    case Kind::kReplace:
      return in != nullptr && of == nullptr;
    case Kind::kTakeOver:
      return in != nullptr && (of == nullptr || of->leaving);
    case Kind::kLeave:
      return of == nullptr || of->leaving;
    case Kind::kRemove:
      return of == nullptr;
    case Kind::kWeight:
      return of != nullptr && of->weight == change.member.weight;
    case Kind::kZone:
      return of != nullptr && of->zone == change.member.zone;
  }
  return false;
}

Result<std::vector<Member>> MembersAfter(const Layout& layout,
                                         std::span<const LayoutChange> changes) {
  std::vector<Member> members = layout.members();
  for (const LayoutChange& change : changes) {
    if (Status status = Apply(change, &members); !status) return std::unexpected(status.error());
  }
  std::ranges::sort(members, {}, &Member::id);
  if (Status status = CheckMembers(members); !status) return std::unexpected(status.error());
  return members;
}

std::vector<Succession> SuccessionsOf(std::span<const LayoutChange> changes) {
  std::vector<Succession> successions;
  for (const LayoutChange& change : changes) {
    if (change.kind != Kind::kReplace && change.kind != Kind::kTakeOver) continue;
    successions.push_back({.from = change.id, .to = change.member.id});
  }
  return successions;
}

std::string EncodeChanges(std::span<const LayoutChange> changes) {
  std::string out;
  AppendVarint(&out, changes.size());
  for (const LayoutChange& change : changes) {
    AppendU8(&out, static_cast<uint8_t>(change.kind));
    AppendBigEndian64(&out, change.id.high);
    AppendBigEndian64(&out, change.id.low);
    AppendMember(&out, change.member);
  }
  return out;
}

Result<std::vector<LayoutChange>> DecodeChanges(std::string_view bytes) {
  const auto corrupt = [] { return Fail(Code::kCorruption, "not a list of layout changes"); };
  ByteReader reader(bytes);
  const uint64_t count = reader.Varint();
  if (!reader.ok() || count > kLayoutChangesMax) return corrupt();
  std::vector<LayoutChange> changes;
  for (uint64_t i = 0; i < count && reader.ok(); ++i) {
    LayoutChange change;
    const uint8_t kind = reader.U8();
    if (kind < static_cast<uint8_t>(Kind::kJoin) || kind > static_cast<uint8_t>(Kind::kTakeOver)) {
      return corrupt();
    }
    change.kind = static_cast<Kind>(kind);
    change.id.high = reader.BigEndian64();
    change.id.low = reader.BigEndian64();
    if (!ReadMember(&reader, &change.member)) return corrupt();
    changes.push_back(std::move(change));
  }
  if (!reader.AtEnd()) return corrupt();
  return changes;
}

}  // namespace eddy::ring
