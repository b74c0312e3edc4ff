// What can be asked of a layout, one member at a time, and what comes of it: the members of the
// next version (Dynamo, section 4.9: nodes are added and removed by explicit orders, never because
// they cannot be reached). Plain values and pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "ring/layout.h"
#include "ring/member.h"
#include "ring/planner.h"

namespace eddy::ring {

struct LayoutChange {
  enum class Kind : uint8_t {
    kJoin = 1,     // `member` comes in, or has another address than before
    kReplace = 2,  // `member` comes in for the member `id`, which is lost for ever, with its weight
                   // and zone
    kLeave = 3,    // `id` hands over what it holds, then goes
    kRemove = 4,   // `id` goes at once: what only it holds is lost
    kWeight = 5,   // `id` gets member.weight
    kZone = 6,     // `id` gets member.zone
    kTakeOver = 7,  // `member` comes in for the member `id`, with its weight and zone, and `id`
                    // hands over what it holds, then goes
  };
  Kind kind = Kind::kJoin;
  NodeId id;
  Member member;  // its other fields mean nothing

  friend bool operator==(const LayoutChange&, const LayoutChange&) = default;
};

inline constexpr size_t kLayoutChangesMax = 256;  // in one step

// A sentence's beginning for people: "n4 joins", "n2 leaves".
std::string Describe(const Layout& layout, const LayoutChange& change);

// Whether the layout is as the change wants it already.
bool IsDone(const Layout& layout, const LayoutChange& change);

// The members after all of the changes, in order. kInvalidArgument, with a text that names the
// culprit, where a change is about somebody who is no member, a name is taken, or the members that
// come out are none that a layout can have.
Result<std::vector<Member>> MembersAfter(const Layout& layout,
                                         std::span<const LayoutChange> changes);

// Who comes in for whom: whoever does gets exactly the partitions that the other one has, so that
// nothing else moves. For PlanRequest::successions.
std::vector<Succession> SuccessionsOf(std::span<const LayoutChange> changes);

// The canonical encoding.
std::string EncodeChanges(std::span<const LayoutChange> changes);
Result<std::vector<LayoutChange>> DecodeChanges(std::string_view bytes);

}  // namespace eddy::ring
