// The cluster that a scenario is lived through in (sim/scenario_run.h): its machines, the requests
// that are under way, the names that the text gives to all of them, and what is so of it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/machines.h"
#include "sim/scenario.h"
#include "sim/scenario_run.h"
#include "storage/memory_engine.h"
#include "wire/client_message.h"

namespace eddy::sim {

// A condition's state: whether it is so, and what is so instead.
struct Finding {
  bool holds = false;
  std::string found;
};

class ScenarioRun final : public Machines {
 public:
  ScenarioRun(const Scenario& scenario, const ScenarioOptions& options);

  ScenarioReport Run();

  // Machines.
  void Wrong(std::string what) override { Fail(std::move(what)); }

  // SimNodeListener, the rest.
  void Answered(NodeIndex at, uint64_t ticket, wire::ClientReply reply) override;
  void Applied(NodeIndex at, const AppliedWrite& write) override;
  void Reaped(NodeIndex at, std::string_view key, std::string_view tombstone) override;
  void Learnt(NodeIndex at, const ring::LayoutHistory& layouts) override;
  void Stopped(NodeIndex at, bool clean) override;

 private:
  // How often it is looked at whether what is waited for is so.
  static constexpr Duration kLookPeriod = std::chrono::milliseconds(10);

  enum class Class : uint8_t { kDone, kNotDone, kUnknown };
  struct Outcome {
    Class kind = Class::kDone;
    wire::ClientReply reply;
  };
  struct Attempt {
    wire::ClientRequest request;
    std::string keep;
    NodeIndex node;
    uint64_t life = 0;
    bool submitted = false;
    VirtualTime over_at;  // the client's deadline
    std::optional<Outcome> outcome;
  };

  void NameNodes();
  bool PlaceKey(const Placement& placement);
  void Perform(const Step& step);
  void Fail(std::string what);

  void Do(const RequestStep& step);
  void Do(const AwaitStep& step);
  void Do(const RetryStep& step);
  void Do(const CutStep& step);
  void Do(const PartitionStep& step);
  void Do(const HealStep&);
  void Do(const MachineStep& step);
  void Do(const PauseStep& step);
  void Do(const ClockStep& step);
  void Do(const LeapStep& step);
  void Do(const FailStep& step);
  void Do(const ForgetStep& step);
  void Do(const RotStep& step);
  void Do(const CopyStep& step);
  void Do(const OrderStep& step);
  void Do(const WaitStep& step) { RunUntil(world_.now + step.length); }
  void Do(const CheckStep& step);

  // Lives until then.
  void RunUntil(VirtualTime until);
  void Dispatch(const Event& event);
  void Start(NodeIndex node);
  void ProcessGone(NodeIndex node, bool abrupt);
  void Cut(NodeIndex from, NodeIndex to);
  // Null: it does not run, and the step fails.
  SimNode* Running(const std::string& name);

  uint64_t Send(wire::ClientRequest request, const std::string& node, std::string keep);
  void Submit(uint64_t ticket);
  void End(Attempt* attempt, Outcome outcome);
  void Await(uint64_t ticket);
  static Outcome WithoutReply(const wire::ClientRequest& request, Code code, std::string text);

  Finding Find(const Condition& condition);
  Finding FindReply(const Condition& condition) const;
  Finding FindHolds(const Condition& condition);
  Finding FindHints(const Condition& condition);
  Finding FindProcess(const Condition& condition);
  Finding FindLayout(const Condition& condition);
  Finding FindSettled();
  Finding FindHealthy();
  Finding FindNoHints();
  Finding FindConverged();
  Finding FindGone(const KeyName& key);

  NodeIndex IndexOfName(const std::string& name) const { return names_.find(name)->second; }
  // "A (n2)", as the text and the trace name it.
  std::string NameOf(NodeIndex node) const;
  const std::string& EncodedKey(const KeyName& key);
  std::string DescribeHeld(NodeIndex node, const KeyName& key);
  // Running members of the newest layout.
  std::vector<SimNode*> RunningMembers();

  const Scenario& scenario_;
  std::map<std::string, NodeIndex> names_;
  std::map<KeyName, std::string> keys_;    // all that were named, encoded
  std::map<KeyName, std::string> placed_;  // what a placed key is really called
  std::vector<std::pair<NodeIndex, NodeIndex>> cuts_;
  std::map<std::string, storage::MemoryEngine> copies_;

  std::map<uint64_t, Attempt> attempts_;      // by ticket
  std::map<std::string, uint64_t> requests_;  // the last ticket of each name
  std::map<std::string, std::string> contexts_;
  std::optional<Outcome> last_;
  uint64_t tickets_ = 0;

  const Step* step_ = nullptr;  // under way
  ScenarioReport report_;
};

}  // namespace eddy::sim
