#include "ring/planner.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include <fmt/core.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/random.h"
#include "ring/draft.h"
#include "ring/quota.h"

namespace eddy::ring {

namespace {

constexpr MemberIndex kNobody = RingDraft::kNobody;

// What copying one replica is worth, against unevenness: with 8, a member four replicas beyond the
// tolerance is not yet relieved at the price of one copy that is otherwise needless, and one that
// is five beyond it is.
constexpr int64_t kCostOfMove = 8 * RingDraft::kUnevennessOfOne;
// The most that polishing tries. A plan is polished once, a fraction of a second before data moves
// for minutes.
constexpr int kRearrangePasses = 8;
constexpr int kRearrangeTries = 32;  // for each position that has another owner, in each pass
constexpr int kPolishPasses = 8;
constexpr int kPolishTries = 32;  // for each position that needs it, in each pass

// Plans in three steps. Partitions without an owner are given out in ring order, so that any n that
// follow each other have different owners in as many zones as can be: such a window of n is the
// preference list itself, and a member then has n replicas for each partition it owns. Members that
// own too much hand over what disturbs the other lists least. What has changed hands is rearranged
// as long as that evens the lists out or moves less. What is still uneven or moves without need is
// polished by swaps. Both leave every member as many partitions as it has.
class Planner {
 public:
  // `members` sorted by id, and fit for a layout. Both are borrowed.
  Planner(const std::vector<Member>& members, const PlanRequest& request);

  // Once. The owners, by partition number.
  std::vector<MemberIndex> Run();
  std::vector<std::string> Warnings() const;

 private:
  void TakeOverPrevious();
  NodeId SuccessorOf(NodeId id) const;
  bool SharesStay() const;
  std::vector<MemberIndex> InPartitionOrder(const std::vector<MemberIndex>& by_position) const;
  void FillOrphans();
  void CountZoneClashes(size_t position);
  int64_t Clashes(size_t position, MemberIndex member) const;
  void HandOver(RingDraft* draft);
  bool HandOverFrom(size_t begin, size_t end, MemberIndex receiver, RingDraft* draft);
  void Rearrange(RingDraft* draft);
  void Polish(RingDraft* draft);
  static void TrySwap(size_t a, size_t b, RingDraft* draft);
  void WarnOfWeights(std::vector<std::string>* warnings) const;
  uint64_t Lot(size_t position, MemberIndex member) const;

  const std::vector<Member>& members_;
  const PlanRequest& request_;
  const ListShape shape_;
  const std::vector<PartitionId> order_;
  std::vector<uint64_t> lots_;  // by member: its id, hashed

  std::vector<MemberIndex> index_now_;      // by index in the previous layout; kNobody: it is gone
  std::vector<MemberIndex> owners_;         // by position
  std::vector<MemberIndex> owners_before_;  // by position; kNobody: it is gone
  std::vector<MemberIndex> lists_before_;   // by position and place, n each; as RingDraft wants it
  std::vector<Quota> quotas_;               // by member
  std::vector<int64_t> owed_;               // by member: partitions to receive, or below 0 to give
  Random random_;                           // of a fixed seed: a plan depends on its request only

  std::vector<int64_t> zone_clashes_;  // scratch: by zone, for the position at hand
};

int64_t Cost(const RingDraft& draft) { return draft.unevenness() + draft.moved() * kCostOfMove; }

Planner::Planner(const std::vector<Member>& members, const PlanRequest& request)
    : members_(members),
      request_(request),
      shape_(ShapeOfLists(members, request.n)),
      order_(RingOrder(request.partition_bits)),
      owners_(order_.size(), kNobody),
      random_(0),
      zone_clashes_(shape_.zones.size()) {
  for (const Member& member : members) {
    std::string id;
    AppendBigEndian64(&id, member.id.high);
    AppendBigEndian64(&id, member.id.low);
    lots_.push_back(Hash64(id));
  }
}

std::vector<MemberIndex> Planner::Run() {
  if (request_.previous) TakeOverPrevious();
  std::vector<uint32_t> owned_before(members_.size());
  for (const MemberIndex owner : owners_) {
    if (owner != kNobody) ++owned_before[owner.value];
  }
  quotas_ = QuotasFor(members_, shape_, PartitionCount(request_.partition_bits), owned_before);
  if (SharesStay()) return InPartitionOrder(owners_);
  if (request_.previous) owners_before_ = owners_;
  for (size_t i = 0; i < members_.size(); ++i) {
    owed_.push_back(int64_t{quotas_[i].partitions} - owned_before[i]);
  }

  FillOrphans();
  RingDraft draft(RingDraft::Options{.shape = &shape_,
                                     .quotas = quotas_,
                                     .owners = owners_,
                                     .lists_before = std::move(lists_before_)});
  HandOver(&draft);
  Rearrange(&draft);
  Polish(&draft);

  for (size_t position = 0; position < order_.size(); ++position) {
    owners_[position] = draft.owner(position);
  }
  return InPartitionOrder(owners_);
}

std::vector<MemberIndex> Planner::InPartitionOrder(
    const std::vector<MemberIndex>& by_position) const {
  std::vector<MemberIndex> owners(order_.size());
  for (size_t position = 0; position < order_.size(); ++position) {
    owners[order_[position].value] = by_position[position];
  }
  return owners;
}

void Planner::TakeOverPrevious() {
  const Layout& previous = *request_.previous;
  for (const Member& member : previous.members()) {
    const NodeId id = SuccessorOf(member.id);
    const auto found = std::ranges::lower_bound(members_, id, {}, &Member::id);
    const bool stays = found != members_.end() && found->id == id && found->weight > 0;
    index_now_.push_back(stays ? MemberIndex{static_cast<uint16_t>(found - members_.begin())}
                               : kNobody);
  }
  for (size_t position = 0; position < order_.size(); ++position) {
    owners_[position] = index_now_[previous.OwnerOf(order_[position]).value];
    const auto list = previous.PreferenceList(order_[position], shape_.n);
    for (size_t place = 0; place < shape_.n; ++place) {
      lists_before_.push_back(place < list.size() ? index_now_[list[place].value] : kNobody);
    }
  }
}

NodeId Planner::SuccessorOf(NodeId id) const {
  // One that takes over may be succeeded itself; a circle ends after as many steps as there are.
  for (size_t steps = 0; steps < request_.successions.size(); ++steps) {
    const auto found = std::ranges::find(request_.successions, id, &Succession::from);
    if (found == request_.successions.end()) break;
    id = found->to;
  }
  return id;
}

// Whether everybody who is to hold data has the weight and the zone that it, or the one it comes
// for, had before. Then the ring before is as good as it was, and nothing in it need change.
bool Planner::SharesStay() const {
  if (!request_.previous) return false;
  std::vector<bool> taken(members_.size());
  for (size_t i = 0; i < index_now_.size(); ++i) {
    const Member& before = request_.previous->members()[i];
    const MemberIndex now = index_now_[i];
    if (before.weight == 0 && now == kNobody) continue;
    if (now == kNobody || taken[now.value]) return false;
    const Member& member = members_[now.value];
    if (member.weight != before.weight || member.zone != before.zone) return false;
    taken[now.value] = true;
  }
  for (size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].weight > 0 && !taken[i]) return false;
  }
  return true;
}

// Draws lots where nothing else decides, so that neighbours on the ring differ from place to place:
// the load of a member that is down then falls on many others and not on the same few.
uint64_t Planner::Lot(size_t position, MemberIndex member) const {
  uint64_t lot = lots_[member.value] ^ (position * 0x9e3779b97f4a7c15);
  lot = (lot ^ (lot >> 30)) * 0xbf58476d1ce4e5b9;  // the finisher of splitmix64
  lot = (lot ^ (lot >> 27)) * 0x94d049bb133111eb;
  return lot ^ (lot >> 31);
}

void Planner::FillOrphans() {
  const auto orphans = static_cast<int64_t>(std::ranges::count(owners_, kNobody));
  const bool from_nothing = orphans == static_cast<int64_t>(owners_.size());
  const auto n = static_cast<int64_t>(shape_.n);
  // By member and by zone: what it is to receive in all, and what it has got so far. Handing over
  // gives them what the orphans are too few for.
  std::vector<int64_t> due(members_.size());
  std::vector<int64_t> got(members_.size());
  std::vector<int64_t> zone_due(shape_.zones.size());
  std::vector<int64_t> zone_got(shape_.zones.size());
  int64_t due_in_all = 0;
  for (size_t i = 0; i < members_.size(); ++i) {
    if (owed_[i] <= 0) continue;
    due[i] = owed_[i];
    zone_due[shape_.zone_of[i]] += owed_[i];
    due_in_all += owed_[i];
  }

  int64_t filled = 0;
  for (size_t position = 0; position < owners_.size(); ++position) {
    if (owners_[position] != kNobody) continue;
    CountZoneClashes(position);
    using Rank = std::tuple<int64_t, int64_t, int64_t, int64_t, uint64_t>;
    std::optional<Rank> best;
    MemberIndex chosen;
    for (size_t i = 0; i < members_.size(); ++i) {
      if (owed_[i] <= 0) continue;
      const MemberIndex member{static_cast<uint16_t>(i)};
      const size_t zone = shape_.zone_of[i];
      // On an empty ring, whoever must take every turn from now on to get its due goes first.
      int64_t slack = n;
      if (from_nothing) {
        const int64_t left = orphans - filled;
        const auto zone_turns = left * static_cast<int64_t>(shape_.zones[zone].high);
        slack = std::min(
            {slack, left - owed_[i] * n, zone_turns - (zone_due[zone] - zone_got[zone]) * n});
      }
      // Then whoever lags most behind an even flow of partitions to it.
      const int64_t zone_lag = zone_due[zone] * (filled + 1) - zone_got[zone] * due_in_all;
      const int64_t lag = due[i] * (filled + 1) - got[i] * due_in_all;
      const Rank rank{Clashes(position, member), slack, -zone_lag, -lag, Lot(position, member)};
      if (!best || rank < *best) {
        best = rank;
        chosen = member;
      }
    }
    owners_[position] = chosen;
    --owed_[chosen.value];
    ++got[chosen.value];
    ++zone_got[shape_.zone_of[chosen.value]];
    ++filled;
  }
}

// For each zone: of the n windows of n positions that contain this one, those which would hold more
// of the zone than a preference list does if a member of it were put here.
void Planner::CountZoneClashes(size_t position) {
  const size_t size = owners_.size();
  const size_t window = std::min(shape_.n, size);
  zone_clashes_.assign(shape_.zones.size(), 0);
  std::vector<size_t> counts(shape_.zones.size());
  for (size_t back = 0; back < window; ++back) {
    std::ranges::fill(counts, 0);
    size_t extras = 0;
    for (size_t i = 0; i < window; ++i) {
      if (i == back) continue;
      const MemberIndex owner = owners_[(position + size - back + i) % size];
      if (owner == kNobody) continue;
      const size_t zone = shape_.zone_of[owner.value];
      if (counts[zone]++ >= shape_.zones[zone].low) ++extras;
    }
    for (size_t zone = 0; zone < counts.size(); ++zone) {
      const ZoneRule& rule = shape_.zones[zone];
      const bool is_extra = counts[zone] >= rule.low;
      zone_clashes_[zone] +=
          counts[zone] >= rule.high || (is_extra && extras >= shape_.extras) ? 1 : 0;
    }
  }
}

// The windows that the member would make useless, by its zone or because it is in them already.
int64_t Planner::Clashes(size_t position, MemberIndex member) const {
  int64_t clashes = zone_clashes_[shape_.zone_of[member.value]];
  const size_t size = owners_.size();
  for (size_t distance = 1; distance < std::min(shape_.n, size); ++distance) {
    const auto windows = static_cast<int64_t>(shape_.n - distance);
    if (owners_[(position + distance) % size] == member) clashes += windows;
    if (owners_[(position + size - distance) % size] == member) clashes += windows;
  }
  return clashes;
}

// Each receiver takes one partition from each of as many slices of the ring as it is owed, so that
// its own lie far apart, and what it still lacks from anywhere. All go round the ring together: a
// list that waits for the first member of a zone depends on all that is behind it, and every try
// would walk the whole ring while there is none.
void Planner::HandOver(RingDraft* draft) {
  const size_t size = draft->size();
  struct Turn {
    size_t begin = 0;
    size_t end = 0;
    MemberIndex receiver;
  };
  std::vector<Turn> turns;
  for (size_t i = 0; i < members_.size(); ++i) {
    const auto slices = static_cast<size_t>(std::max<int64_t>(0, owed_[i]));
    for (size_t slice = 0; slice < slices; ++slice) {
      turns.push_back({.begin = slice * size / slices,
                       .end = (slice + 1) * size / slices,
                       .receiver = MemberIndex{static_cast<uint16_t>(i)}});
    }
  }
  std::ranges::stable_sort(turns, {}, &Turn::begin);
  for (const Turn& turn : turns) HandOverFrom(turn.begin, turn.end, turn.receiver, draft);
  for (size_t i = 0; i < members_.size(); ++i) {
    while (owed_[i] > 0 && HandOverFrom(0, size, MemberIndex{static_cast<uint16_t>(i)}, draft)) {
    }
  }
}

// False if nobody in that part of the ring has anything to give.
bool Planner::HandOverFrom(size_t begin, size_t end, MemberIndex receiver, RingDraft* draft) {
  using Rank = std::tuple<int64_t, int64_t, uint64_t>;
  std::optional<Rank> best;
  size_t chosen = 0;
  for (size_t position = begin; position < end; ++position) {
    const MemberIndex donor = draft->owner(position);
    if (owed_[donor.value] >= 0) continue;
    draft->Keep();
    draft->Assign(position, receiver);
    const Rank rank{Cost(*draft), owed_[donor.value], Lot(position, receiver)};
    draft->TakeBack();
    if (!best || rank < *best) {
      best = rank;
      chosen = position;
    }
  }
  if (!best) return false;
  ++owed_[draft->owner(chosen).value];
  --owed_[receiver.value];
  draft->Assign(chosen, receiver);
  return true;
}

// What has changed hands may as well have done so elsewhere: two members that both received swap
// what they got, and whoever received gives back and takes another partition of the same donor.
// Neither copies more than what is copied anyway.
void Planner::Rearrange(RingDraft* draft) {
  if (owners_before_.empty()) return;
  std::vector<size_t> changed;
  std::vector<std::vector<size_t>> owned(members_.size());
  for (int pass = 0; pass < kRearrangePasses; ++pass) {
    changed.clear();
    for (std::vector<size_t>& list : owned) list.clear();
    for (size_t position = 0; position < draft->size(); ++position) {
      const MemberIndex owner = draft->owner(position);
      if (owner == owners_before_[position]) {
        owned[owner.value].push_back(position);
      } else {
        changed.push_back(position);
      }
    }
    const int64_t cost_before_pass = Cost(*draft);
    for (const size_t position : changed) {
      for (int tries = 0; tries < kRearrangeTries; ++tries) {
        const MemberIndex before = owners_before_[position];
        const bool back = before != kNobody && random_.Chance(1, 2) && !owned[before.value].empty();
        const std::vector<size_t>& among = back ? owned[before.value] : changed;
        const size_t other = among[random_.Below(among.size())];
        if (draft->owner(other) == draft->owner(position)) continue;
        TrySwap(position, other, draft);
      }
    }
    if (Cost(*draft) == cost_before_pass) return;
  }
}

// One that costs nothing is kept too: it leads out of dead ends.
void Planner::TrySwap(size_t a, size_t b, RingDraft* draft) {
  const int64_t cost = Cost(*draft);
  draft->Keep();
  draft->Swap(a, b);
  if (Cost(*draft) > cost) draft->TakeBack();
}

void Planner::Polish(RingDraft* draft) {
  for (int pass = 0; pass < kPolishPasses; ++pass) {
    const int64_t cost_before_pass = Cost(*draft);
    for (size_t position = 0; position < draft->size(); ++position) {
      if (!draft->IsUneven(draft->owner(position)) && !draft->IsWasteful(position)) continue;
      for (int tries = 0; tries < kPolishTries; ++tries) {
        const size_t other = random_.Below(draft->size());
        if (draft->owner(other) == draft->owner(position)) continue;
        TrySwap(position, other, draft);
      }
    }
    if (Cost(*draft) == cost_before_pass) return;
  }
}

std::string Percent(int64_t part, int64_t whole) {
  const int64_t permille = (part * 1000 + whole / 2) / whole;
  return fmt::format("{}.{}%", permille / 10, permille % 10);
}

std::vector<std::string> Planner::Warnings() const {
  std::vector<std::string> warnings;
  const size_t holders = static_cast<size_t>(
      std::ranges::count_if(members_, [](const Member& member) { return member.weight > 0; }));
  if (holders < request_.n) {
    warnings.push_back(
        fmt::format("{} of {} replicas: only {} can be kept until more members hold data", holders,
                    request_.n, holders));
  }
  if (holders > order_.size()) {
    warnings.push_back(fmt::format(
        "{} members share {} partitions, so some own none; a cluster of this size needs more",
        holders, order_.size()));
  }
  const bool uses_zones = shape_.zones.size() > 1 || !shape_.zones.front().name.empty();
  if (uses_zones && shape_.zones.size() < request_.n) {
    warnings.push_back(
        fmt::format("{} replicas in {} zones: the loss of one zone takes several replicas of a key",
                    request_.n, shape_.zones.size()));
  }
  if (holders > shape_.n) WarnOfWeights(&warnings);
  return warnings;
}

// Where replicas on distinct members and zones do not let the data follow the weights, by more than
// a partition.
void Planner::WarnOfWeights(std::vector<std::string>* warnings) const {
  const int64_t whole = static_cast<int64_t>(order_.size()) * kWholeShare;
  int64_t weight_in_all = 0;
  for (const Member& member : members_) weight_in_all += member.weight;
  const auto warn = [&](std::string_view what, std::string_view name, int64_t weight,
                        int64_t share) {
    const int64_t asked = whole / weight_in_all * weight;
    if (share > asked + kWholeShare) {
      warnings->push_back(fmt::format(
          "{} {} has {} of the weight but must hold {} of the data for replicas to be apart", what,
          name, Percent(weight, weight_in_all), Percent(share, whole)));
    } else if (share < asked - kWholeShare) {
      warnings->push_back(fmt::format(
          "{} {} has {} of the weight but can hold only {} of the data for replicas to be apart",
          what, name, Percent(weight, weight_in_all), Percent(share, whole)));
    }
  };
  for (size_t zone = 0; zone < shape_.zones.size(); ++zone) {
    int64_t weight = 0;
    int64_t share = 0;
    for (size_t i = 0; i < members_.size(); ++i) {
      if (members_[i].weight == 0 || shape_.zone_of[i] != zone) continue;
      weight += members_[i].weight;
      share += quotas_[i].ideal;
    }
    warn("zone", shape_.zones[zone].name, weight, share);
  }
  // A single member's weight matters only beyond one replica of everything; what its zone does to
  // its share is said above.
  for (size_t i = 0; i < members_.size(); ++i) {
    if (int64_t{members_[i].weight} * static_cast<int64_t>(shape_.n) <= weight_in_all) continue;
    warn("member", members_[i].name, members_[i].weight, quotas_[i].ideal);
  }
}

}  // namespace

Result<Plan> PlanLayout(PlanRequest request) {
  if (request.n < 1 || request.n > kWalkMax) {
    return Fail(Code::kInvalidArgument,
                fmt::format("n is {}, it must be 1 to {}", request.n, kWalkMax));
  }
  if (request.partition_bits > kPartitionBitsMax) {
    return Fail(Code::kInvalidArgument, fmt::format("{} partition bits, the most is {}",
                                                    request.partition_bits, kPartitionBitsMax));
  }
  if (request.previous && request.previous->partition_bits() != request.partition_bits) {
    return Fail(
        Code::kUnsupported,
        fmt::format("the number of partitions cannot change from {} to {}",
                    request.previous->partition_count(), PartitionCount(request.partition_bits)));
  }
  std::ranges::sort(request.members, {}, &Member::id);
  if (Status status = CheckMembers(request.members); !status) {
    return std::unexpected(status.error());
  }

  Planner planner(request.members, request);
  std::vector<MemberIndex> owners = planner.Run();
  std::vector<std::string> warnings = planner.Warnings();
  Result<Layout> layout =
      Layout::Make({.version = request.previous ? request.previous->version() + 1 : 1,
                    .origin = request.previous ? request.previous->origin() : Digest(),
                    .partition_bits = request.partition_bits,
                    .members = std::move(request.members),
                    .owners = std::move(owners)});
  if (!layout) return std::unexpected(layout.error());
  return Plan{*std::move(layout), std::move(warnings)};
}

}  // namespace eddy::ring
