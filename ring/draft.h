// A ring whose owners are still being chosen: knows, at every moment, every preference list that
// the owners give, how unevenly the lists lie on the members, and how many replicas would have to
// be copied. An assignment costs a few list evaluations, so a planner can try very many. Works in
// ring order ("positions"), not in the order of partition numbers. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ring/layout.h"
#include "ring/quota.h"

namespace eddy::ring {

class RingDraft {
 public:
  static constexpr MemberIndex kNobody{UINT16_MAX};

  struct Options {
    const ListShape* shape = nullptr;  // borrowed
    std::span<const Quota> quotas;     // by member; borrowed for the constructor
    std::vector<MemberIndex> owners;   // by position; at least one, all of them somebody
    // By position and place, shape->n each: who stood in the lists before, or kNobody. Empty if
    // there was no layout before.
    std::vector<MemberIndex> lists_before;
    // How far, in replicas, a member may lie off its ideal before it counts as uneven.
    int64_t tolerance = 1;
  };

  explicit RingDraft(Options options);

  size_t size() const { return owners_.size(); }
  MemberIndex owner(size_t position) const { return owners_[position]; }
  void Assign(size_t position, MemberIndex owner);
  void Swap(size_t a, size_t b);
  // What has been assigned so far stays.
  void Keep();
  // Takes back all that was assigned since Keep(), for less than assigning it anew would cost.
  void TakeBack();

  // Whether the member holds more or fewer replicas than is tolerated.
  bool IsUneven(MemberIndex member) const { return excess_[member.value] != 0; }
  // Whether some list that depends on the position moves a replica to a member that had enough
  // before, or away from one that had too few: such a move undoes what another one does.
  bool IsWasteful(size_t position) const;

  // The sum, over the members, of the square of the replicas beyond what is tolerated, in units of
  // kUnevennessOfOne.
  static constexpr int64_t kUnevennessOfOne = 256;
  int64_t unevenness() const { return unevenness_; }
  // The replicas that would have to be copied from the layout before.
  int64_t moved() const { return moved_; }

 private:
  struct OwnerBefore {
    size_t position = 0;
    MemberIndex owner;
  };
  struct ListUndo {
    size_t start = 0;
    uint32_t reach = 0;
  };

  std::span<const MemberIndex> ListBefore(size_t start) const;
  std::span<MemberIndex> ListOf(size_t start);
  bool ListIsWasteful(size_t start) const;
  void Relist(size_t start);
  void SetList(size_t start, std::span<const MemberIndex> list);
  void Walk(size_t start);
  void Count(size_t start, MemberIndex member, int64_t change);

  const ListShape& shape_;
  const std::vector<MemberIndex> lists_before_;
  const int64_t tolerance_;       // in fractions of a replica
  std::vector<int64_t> ideals_;   // by member, in fractions of a replica
  std::vector<int64_t> lacking_;  // the same, less what the member had before

  std::vector<MemberIndex> owners_;
  // For each start: its list (unordered) and how many positions the walk visits to find it. The
  // list depends on those positions only.
  std::vector<MemberIndex> lists_;
  std::vector<uint32_t> reaches_;
  std::vector<int64_t> replicas_;  // by member
  std::vector<int64_t> excess_;    // by member, signed, in fractions of a replica
  int64_t unevenness_ = 0;
  int64_t moved_ = 0;

  // What was there before each change since Keep(), in the order of the changes.
  std::vector<OwnerBefore> owners_undo_;
  std::vector<ListUndo> lists_undo_;
  std::vector<MemberIndex> members_undo_;  // the lists of lists_undo_, shape_.n each

  // Scratch of Walk: its result, and what it has met, valid where the stamp is the current one.
  std::vector<MemberIndex> walked_;
  uint64_t stamp_ = 0;
  std::vector<uint64_t> member_stamps_;
  std::vector<uint64_t> zone_stamps_;
  std::vector<size_t> zone_counts_;
};

}  // namespace eddy::ring
