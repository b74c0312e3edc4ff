#include "ring/layout.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include <fmt/core.h>

#include "base/bytes.h"

namespace eddy::ring {

namespace {

constexpr uint64_t kFormat = 1;

bool IsNameText(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  });
}

Status CheckMember(const Member& member) {
  const bool is_named =
      !member.name.empty() && member.name.size() <= kMemberNameBytesMax && IsNameText(member.name);
  const auto refuse = [&](std::string why) {
    return Fail(Code::kInvalidArgument,
                fmt::format("member {}: {}", is_named ? member.name : member.id.ToHex(), why));
  };
  if (member.id.IsNone()) return refuse("the id of zeros names nobody");
  if (!is_named) {
    return refuse(fmt::format("its name must be 1 to {} of [A-Za-z0-9_.-]", kMemberNameBytesMax));
  }
  if (member.zone.size() > kMemberNameBytesMax || !IsNameText(member.zone)) {
    return refuse(
        fmt::format("its zone must be at most {} of [A-Za-z0-9_.-]", kMemberNameBytesMax));
  }
  if (member.weight > kMemberWeightMax) {
    return refuse(fmt::format("its weight is {}, the most is {}", member.weight, kMemberWeightMax));
  }
  if (member.leaving && member.weight != 0) {
    return refuse("a member that is leaving holds nothing: its weight must be 0");
  }
  if (member.doors.host.size() > kMemberHostBytesMax) {
    return refuse(fmt::format("its host is longer than {} bytes", kMemberHostBytesMax));
  }
  return {};
}

Status CheckParts(const LayoutParts& parts) {
  if (parts.version == 0) return Fail(Code::kInvalidArgument, "layout versions start at 1");
  if ((parts.version == 1) != (parts.origin == Digest())) {
    return Fail(Code::kInvalidArgument, "every layout but the first one names the first one");
  }
  if (parts.partition_bits > kPartitionBitsMax) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{} partition bits, the most is {} ({} partitions)",
                            parts.partition_bits, kPartitionBitsMax, kSlots));
  }
  if (Status status = CheckMembers(parts.members); !status) return status;
  if (parts.owners.size() != PartitionCount(parts.partition_bits)) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{} owners for {} partitions", parts.owners.size(),
                            PartitionCount(parts.partition_bits)));
  }
  for (size_t partition = 0; partition < parts.owners.size(); ++partition) {
    const MemberIndex owner = parts.owners[partition];
    if (owner.value >= parts.members.size() || parts.members[owner.value].weight == 0) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("partition {} is owned by {}, which is not the index of a member "
                              "with weight",
                              partition, owner.value));
    }
  }
  return {};
}

// Finds all walks in one backward turn of the ring. Going backward, the member that owns the
// partition just reached becomes the first that a walk from there meets, so 'move to front' keeps
// each zone's members, and the zones, in the order in which the walk meets them.
class Walker {
 public:
  explicit Walker(const LayoutParts& parts) : parts_(parts), met_at_(parts.members.size()) {
    std::map<std::string_view, std::vector<MemberIndex>> by_zone;
    for (size_t i = 0; i < parts.members.size(); ++i) {
      if (parts.members[i].weight == 0) continue;
      by_zone[parts.members[i].zone].push_back(MemberIndex{static_cast<uint16_t>(i)});
      met_at_[i] = kNeverMet;
      ++walkable_;
    }
    for (auto& [zone, members] : by_zone) zones_.push_back(std::move(members));
    // Who is never met counts as met last, in the order of the ids.
    std::ranges::sort(zones_, {},
                      [](const std::vector<MemberIndex>& zone) { return zone.front(); });
  }

  size_t walk_length() const { return std::min(walkable_, kWalkMax); }

  std::vector<MemberIndex> Run() {
    const std::vector<PartitionId> order = RingOrder(parts_.partition_bits);
    std::vector<MemberIndex> walks(order.size() * walk_length());
    // The first turn only learns what the walks meet after passing the ring's end.
    for (size_t position = 2 * order.size(); position-- > 0;) {
      const PartitionId partition = order[position % order.size()];
      Meet(parts_.owners[partition.value], position);
      if (position < order.size()) Collect(walks.data() + partition.value * walk_length());
    }
    return walks;
  }

 private:
  static constexpr size_t kNeverMet = ~size_t{0};

  void Meet(MemberIndex owner, size_t position) {
    const std::string& name = parts_.members[owner.value].zone;
    const auto zone = std::ranges::find_if(zones_, [&](const std::vector<MemberIndex>& members) {
      return parts_.members[members.front().value].zone == name;
    });
    const auto member = std::ranges::find(*zone, owner);
    std::rotate(zone->begin(), member, std::next(member));
    std::rotate(zones_.begin(), zone, std::next(zone));
    met_at_[owner.value] = position;
  }

  void Collect(MemberIndex* out) {
    MemberIndex* const end = out + walk_length();
    for (size_t round = 0; out != end; ++round) {
      round_.clear();
      for (const std::vector<MemberIndex>& members : zones_) {
        if (members.size() > round) round_.push_back(members[round]);
      }
      // The zones stand in the order of their first members, not of their later ones.
      if (round > 0) {
        std::ranges::sort(round_, {}, [&](MemberIndex member) {
          return std::pair(met_at_[member.value], member);
        });
      }
      for (const MemberIndex member : round_) {
        if (out != end) *out++ = member;
      }
    }
  }

  const LayoutParts& parts_;
  size_t walkable_ = 0;
  std::vector<std::vector<MemberIndex>> zones_;
  std::vector<size_t> met_at_;      // by member: where on the ring a walk meets it next
  std::vector<MemberIndex> round_;  // scratch
};

Result<LayoutParts> DecodeParts(std::string_view bytes) {
  const auto corrupt = [](std::string_view what) {
    return Fail(Code::kCorruption, fmt::format("not a layout: {}", what));
  };
  ByteReader reader(bytes);
  const uint64_t format = reader.Varint();
  if (!reader.ok()) return corrupt("no format");
  if (format != kFormat) {
    return Fail(Code::kWrongCluster,
                fmt::format("a layout of format {}, this version knows {}; upgrade this node",
                            format, kFormat));
  }
  LayoutParts parts;
  parts.version = reader.Varint();
  parts.origin.high = reader.BigEndian64();
  parts.origin.low = reader.BigEndian64();
  const uint64_t bits = reader.Varint();
  const uint64_t member_count = reader.Varint();
  if (!reader.ok() || bits > kPartitionBitsMax || member_count > kMembersMax) {
    return corrupt("its head is out of range");
  }
  parts.partition_bits = static_cast<unsigned>(bits);

  bool in_range = true;
  for (uint64_t i = 0; i < member_count && reader.ok(); ++i) {
    Member member;
    in_range = ReadMember(&reader, &member) && in_range;
    parts.members.push_back(std::move(member));
  }
  for (uint32_t i = 0; i < PartitionCount(parts.partition_bits) && reader.ok(); ++i) {
    const uint64_t owner = reader.Varint();
    in_range = in_range && owner < kMembersMax;
    parts.owners.push_back(MemberIndex{static_cast<uint16_t>(owner)});
  }
  if (!reader.AtEnd()) return corrupt("it ends too early or too late");
  if (!in_range) return corrupt("a number in it is out of range");
  return parts;
}

}  // namespace

Status CheckMembers(const std::vector<Member>& members) {
  if (members.empty() || members.size() > kMembersMax) {
    return Fail(Code::kInvalidArgument, fmt::format("a layout has 1 to {} members, this one has {}",
                                                    kMembersMax, members.size()));
  }
  std::set<std::string_view> names;
  for (size_t i = 0; i < members.size(); ++i) {
    if (Status status = CheckMember(members[i]); !status) return status;
    if (i > 0 && members[i - 1].id >= members[i].id) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("member {}: ids must be different and ascending; another member has "
                              "the same or a greater one before it",
                              members[i].id.ToHex()));
    }
    if (!names.insert(members[i].name).second) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("two members are named '{}'; give one another name or remove it",
                              members[i].name));
    }
  }
  if (std::ranges::all_of(members, [](const Member& member) { return member.weight == 0; })) {
    return Fail(Code::kInvalidArgument, "every member has weight 0, so nobody could hold data");
  }
  return {};
}

Layout::Layout(LayoutParts parts) : parts_(std::move(parts)) {
  Walker walker(parts_);
  walk_length_ = walker.walk_length();
  walks_ = walker.Run();
  encoded_ = EncodeParts(parts_);
  digest_ = Hash128(encoded_);
  for (const Member& member : parts_.members) ids_.push_back(member.id);
}

Result<Layout> Layout::Make(LayoutParts parts) {
  if (Status status = CheckParts(parts); !status) return std::unexpected(status.error());
  return Layout(std::move(parts));
}

std::string Layout::EncodeParts(const LayoutParts& parts) {
  std::string out;
  AppendVarint(&out, kFormat);
  AppendVarint(&out, parts.version);
  AppendBigEndian64(&out, parts.origin.high);
  AppendBigEndian64(&out, parts.origin.low);
  AppendVarint(&out, parts.partition_bits);
  AppendVarint(&out, parts.members.size());
  for (const Member& member : parts.members) AppendMember(&out, member);
  for (const MemberIndex owner : parts.owners) AppendVarint(&out, owner.value);
  return out;
}

Result<Layout> Layout::Decode(std::string_view bytes) {
  Result<LayoutParts> parts = DecodeParts(bytes);
  if (!parts) return std::unexpected(parts.error());
  if (Status status = CheckParts(*parts); !status) {
    return Fail(Code::kCorruption, fmt::format("not a layout: {}", status.error().text));
  }
  return Layout(*std::move(parts));
}

const Member* Layout::Find(NodeId id) const {
  const std::optional<MemberIndex> index = IndexOf(id);
  return index ? &member(*index) : nullptr;
}

std::optional<MemberIndex> Layout::IndexOf(NodeId id) const {
  const auto found = std::ranges::lower_bound(ids_, id);
  if (found == ids_.end() || *found != id) return std::nullopt;
  return MemberIndex{static_cast<uint16_t>(found - ids_.begin())};
}

}  // namespace eddy::ring
