// A failure as a short text that an operator can read: a cluster, what is done to it step by step,
// and what must come of it. docs/SIMULATOR.md explains the language by examples; this is its
// grammar, a line a setting or step, words between spaces, '#' to the end of the line a comment:
//
//   setting = "nodes" N | "spares" NAME.. | "zones" N | "joining by order"
//           | "bucket" NAME [n N] [r N] [w N] [pr N] [pw N] [lww] [strict] [ttl TIME]
//                      [siblings-max N]
//           | "place" KEY "on" NAME..       names the nodes in the order of KEY's preference list
//           | "anti-entropy every" TIME | "reap after" TIME | "hints at most" N "bytes"
//           | "deadline" TIME
//           | "fails with" BUG..            planted bugs (sim/planted_bug.h) that break this one
//   step    = ["begin"] request | "await" NAME | "retry" NAME "at" NODE
//           | "partition" NODE.. "|" NODE.. ["|" NODE..].. | "cut" NODE.. "->" NODE.. | "heal"
//           | "kill" NODE.. | "power-loss" NODE.. ["keeping-tail"] | "stop" NODE..
//           | "wipe" NODE ["as-stranger"] | "start" NODE.. | "pause" NODE "for" TIME
//           | "clock" NODE ("+"TIME | "-"TIME | "right") | "leap" TIME
//           | "slow-disk" NODE.. | "quick-disk" NODE..
//           | "full-disk" NODE.. | "free-disk" NODE.. | "rot" KEY "at" NODE
//           | "fail" ("get" | "write" | "sync") "at" NODE
//           | "forget" KEY "at" NODE | "copy" NODE "to" NAME | "restore" NODE "from" NAME
//           | "join" NODE "at" NODE | "leave" NODE "at" NODE | "remove" NODE "at" NODE
//           | "take-over" NODE "for" NODE "at" NODE | "replace" NODE "with" NODE "at" NODE
//           | "wait" TIME | "wait until" state ["within" TIME] | "expect" (reply | state)
//           | "repeat" N, steps in which $ stands for 1 to N, "end"
//   request = ("put" KEY VALUE | "get" KEY | "delete" KEY) "at" NODE [r N] [w N] [pr N] [pw N]
//             [strict] [seen NAME] [keep NAME] [expires TIME] [within TIME] [as NAME]
//   reply   = "done" | "not done" [CODE] | "unknown" | "value" VALUE.. | "no value"
//           | count "siblings" | count "primaries"
//   state   = NODE "holds" KEY (VALUE.. | "nothing" | "tombstone" | "rotten")
//           | NODE "keeps" count "hints" ["for" NODE]
//           | NODE "is" ("ready" | "starting" | "waiting" | "down")
//           | NODE "believes" NODE | NODE "knows" count "members" | NODE "knows layout" count
//           | NODE "counts" COUNTER count
//           | "settled" | "healthy" | "no hints" | "converged" | KEY "is gone"
//   count   = N | "no" | "at most" N | "at least" N
//
// A KEY is KEY or BUCKET/KEY, by itself in the first bucket. Plain values and a pure parser.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "ring/layout_change.h"
#include "sim/plan.h"
#include "sim/planted_bug.h"
#include "storage/memory_engine.h"
#include "wire/client_message.h"

namespace eddy::sim {

struct KeyName {
  std::string bucket;
  std::string key;

  friend auto operator<=>(const KeyName&, const KeyName&) = default;
};

struct Count {
  enum class Kind : uint8_t { kExactly, kAtMost, kAtLeast };
  Kind kind = Kind::kExactly;
  uint64_t number = 0;

  bool Admits(uint64_t found) const {
    if (kind == Kind::kAtMost) return found <= number;
    return kind == Kind::kAtLeast ? found >= number : found == number;
  }
};

// What must be so, of the last reply or of the cluster as it is.
struct Condition {
  enum class Kind : uint8_t {
    kDone,
    kNotDone,
    kUnknown,
    kValues,
    kSiblings,
    kPrimaries,
    // From here on, states.
    kHolds,
    kHints,
    kReady,
    kStarting,
    kWaiting,
    kDown,
    kBelieves,
    kMembers,
    kLayout,
    kCounter,
    kSettled,
    kHealthy,
    kNoHints,
    kConverged,
    kGone,
  };
  Kind kind = Kind::kDone;
  std::string node = {};
  std::string other = {};  // kHints, kBelieves: the second node; kHints: empty for all
  KeyName key = {};        // kHolds, kGone
  bool tombstone = false;  // kHolds
  std::vector<std::string> values = {};  // kValues, kHolds: sorted; none: no value, nothing
  Count count = {};
  std::string name = {};  // kCounter: the counter's; kNotDone: the code's, or empty

  bool IsOfReply() const { return kind < Kind::kHolds; }
};

struct RequestStep {
  enum class Kind : uint8_t { kGet, kPut, kDelete };
  Kind kind = Kind::kGet;
  KeyName key;
  std::string value;
  std::string node;
  wire::QuorumOptions quorum;
  std::string seen;                  // the context to pass; empty: none
  std::string keep;                  // the name for the context of the reply; empty: none
  std::optional<Duration> deadline;  // otherwise the node's own
  std::optional<std::chrono::milliseconds> expires_in;
  std::string name;     // for await and retry; may be empty
  bool awaited = true;  // false: the next step follows at once
};
struct AwaitStep {
  std::string name;
};
struct RetryStep {
  std::string name;
  std::string node;
};
struct CutStep {
  std::vector<std::string> from;
  std::vector<std::string> to;
};
struct PartitionStep {
  std::vector<std::vector<std::string>> groups;
};
struct HealStep {};
struct MachineStep {
  enum class What : uint8_t {
    kKill,
    kLosePower,
    kLosePowerKeepingTail,
    kStop,
    kWipe,
    kWipeAsStranger,
    kStart,
    kSlowDisk,
    kQuickDisk,
    kFullDisk,
    kFreeDisk,
  };
  What what = What::kKill;
  std::vector<std::string> nodes;
};
struct PauseStep {
  std::string node;
  Duration length{};
};
struct ClockStep {
  std::string node;
  std::chrono::milliseconds ahead{};
};
// All clocks.
struct LeapStep {
  Duration length{};
};
struct FailStep {
  std::string node;
  storage::MemoryEngine::Call call = storage::MemoryEngine::Call::kGet;
};
struct ForgetStep {
  KeyName key;
  std::string node;
};
struct RotStep {
  KeyName key;
  std::string node;
};
struct CopyStep {
  std::string node;
  std::string name;
  bool restore = false;
};
struct OrderStep {
  ring::LayoutChange::Kind kind = ring::LayoutChange::Kind::kJoin;
  std::string member;    // who goes; empty where nobody does
  std::string newcomer;  // who comes; likewise
  std::string at;        // who is told
};
struct WaitStep {
  Duration length{};
};
struct CheckStep {
  Condition condition;
  std::optional<Duration> within;  // until it is so; none: it is so now
};

using Action = std::variant<RequestStep, AwaitStep, RetryStep, CutStep, PartitionStep, HealStep,
                            MachineStep, PauseStep, ClockStep, LeapStep, FailStep, ForgetStep,
                            RotStep, CopyStep, OrderStep, WaitStep, CheckStep>;

struct Step {
  uint32_t line = 0;
  std::string text;  // as it is written, $ replaced
  Action action;
};

struct Placement {
  uint32_t line = 0;
  KeyName key;
  std::vector<std::string> nodes;
};

// Replicas and quorums of a scenario are no more than these either.
inline constexpr uint32_t kScenarioNodesMax = 9;

struct Scenario {
  static constexpr size_t kStepsMax = 20'000;
  static constexpr uint32_t kRepeatMax = 10'000;
  static constexpr Duration kWaitMax = std::chrono::hours(1);
  static constexpr Duration kLeapMax = std::chrono::days(400);
  static constexpr Duration kWithinDefault = std::chrono::seconds(60);

  std::string file;
  uint32_t founders = 3;
  std::vector<std::string> spares;  // nodes that are not started and belong to no layout yet
  uint32_t zones = 1;
  bool joining_by_order = false;
  std::vector<BucketPlan> buckets;  // at least one
  std::vector<Placement> placements;
  Duration anti_entropy_period{};  // zero: never
  Duration reap_after{};           // zero: never
  std::optional<uint64_t> hint_bytes_max;
  std::optional<Duration> deadline;
  std::vector<PlantedBug> fails_with;
  std::vector<Step> steps;
};

// kInvalidArgument with "FILE:LINE: what is wrong and what would be right".
[[nodiscard]] Result<Scenario> ParseScenario(std::string file, std::string_view text);

}  // namespace eddy::sim
