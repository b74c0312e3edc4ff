// Bugs to plant, so that the judge is judged: each breaks one thing at the seam of the node and
// its world, as a mistake in the node, the store or the shell would, and the checker must notice
// within a few seeds. Only the simulator knows them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace eddy::sim {

enum class PlantedBug : uint8_t {
  kNone,
  kAckBeforeSync,     // what was only committed is called durable
  kForgetHistory,     // after a crash the history goes on as if nothing could have been forgotten
  kReuseCounters,     // after a start the counters begin where they first began
  kDropJoin,          // now and then a replica acknowledges a record without keeping it
  kOverwriteJoin,     // a replica keeps the siblings it is sent in place of its own
  kPutSeesAll,        // a put replaces what its client has never seen
  kPutSeesNothing,    // a put forgets what its client has seen
  kDeleteErases,      // a delete leaves no tombstone
  kErrorIsAbsent,     // a read error is called 'not found'
  kStaleRead,         // a replica now and then shows a record that it held before
  kSameAlways,        // a replica says that it holds the same without looking
  kNoRequestIds,      // a retry is taken for a new write
  kUnknownIsNotDone,  // a write of unknown outcome is reported as not done
  kNoAnswer,          // now and then a client gets none
  kTwoAnswers,        // and now and then two
  kFlipBit,           // a value changes on its way to the disk
  kDropHint,          // a stand-in acknowledges a hint and does not keep it
  kHintUnacked,       // a hint is removed when it is sent, before its owner has it
  kHintsStay,         // hints are never found again
  kHintAsOwn,         // a stand-in that coordinates writes its own record and no hint
  kNoSync,            // replicas are never compared
  kTreeMissed,        // now and then a hash tree is not told of a change
  kTreeSameAlways,    // a replica says that its tree is the same without looking
  kSegmentForgets,    // a list of the records in some leaves lacks its last
  kSyncedAtOnce,      // a member says that it holds what a new layout gives it, unfilled
  kLayoutsForgotten,  // a restart forgets all layouts but the first
  kHandoverKeeps,     // what was handed over is not let go
  kHandoverUnheard,   // what was to be handed over is let go unheard
  kGossipMute,        // nothing of gossip leaves a node
  kReapUnasked,       // members say that they keep nothing for others, whatever they keep
  kReapNever,         // what is reaped stays
  kSiblingsUncapped,  // a key takes siblings without end
  kJoinUnasked,       // a node that wants to wait for an order does not say so
  kTakenAtOnce,       // whoever is taken over from goes before it has handed over
  kDamageForgotten,   // a replica that has lost a record answers as if it had not
  kNewerRefused,      // what a node of a newer version says is taken for damaged
  kStageMute,         // members do not tell each other what is staged
  kLimitsForgotten,   // a node remembers more than it was given room for
  kCount
};

inline constexpr std::array<std::string_view, static_cast<size_t>(PlantedBug::kCount)>
    kPlantedBugNames = {"none",
                        "ack-before-sync",
                        "forget-history",
                        "reuse-counters",
                        "drop-join",
                        "overwrite-join",
                        "put-sees-all",
                        "put-sees-nothing",
                        "delete-erases",
                        "error-is-absent",
                        "stale-read",
                        "same-always",
                        "no-request-ids",
                        "unknown-is-not-done",
                        "no-answer",
                        "two-answers",
                        "flip-bit",
                        "drop-hint",
                        "hint-unacked",
                        "hints-stay",
                        "hint-as-own",
                        "no-sync",
                        "tree-missed",
                        "tree-same-always",
                        "segment-forgets",
                        "synced-at-once",
                        "layouts-forgotten",
                        "handover-keeps",
                        "handover-unheard",
                        "gossip-mute",
                        "reap-unasked",
                        "reap-never",
                        "siblings-uncapped",
                        "join-unasked",
                        "taken-at-once",
                        "damage-forgotten",
                        "newer-refused",
                        "stage-mute",
                        "limits-forgotten"};

}  // namespace eddy::sim
