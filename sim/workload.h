// The clients: each does one thing after the other, at random moments, on few keys, so that they
// meet. They read, modify and write with the contexts they got, overwrite and delete blindly, retry
// with the same request id what was not done or has no known outcome, lose patience, choose quorums
// of their own, and now and then ask for what must be refused. What they ask and hear goes to the
// checker.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "sim/checker.h"
#include "sim/plan.h"
#include "sim/world.h"

namespace eddy::sim {

// The clients' way to a node.
class Door {
 public:
  virtual ~Door() = default;
  // False: nobody listens there. Otherwise Workload::Answered or Workload::ProcessGone follows.
  virtual bool Submit(NodeIndex node, uint64_t ticket, wire::ClientRequest request) = 0;
  virtual uint64_t LifeOf(NodeIndex node) const = 0;
  // Since when the process has not stood still; nullopt: it stands still now.
  virtual std::optional<VirtualTime> AwakeSince(NodeIndex node) const = 0;
};

class Workload {
 public:
  // Borrows all that it is given pointers to.
  Workload(World* world, const Plan& plan, const std::vector<SimKey>& keys, Checker* checker,
           Door* door, Random random);

  void Begin();
  // No new operations; those under way come to an end.
  void Quiesce() { quiet_ = true; }
  bool idle() const { return attempts_.empty() && busy_clients_ == 0; }

  // Reads a key from n = r replicas, outside the clients' turns. The outcome: FinalReadDone.
  void FinalRead(KeyIndex key, NodeIndex node, uint32_t replicas);
  bool FinalReadUnderWay() const { return final_read_; }
  bool FinalReadDone() const { return final_read_done_; }
  void ForgetFinalRead() { final_read_done_ = false; }

  void LoseReplies(bool lose) { lose_replies_ = lose; }

  // kSubmit, kClient, kPatience.
  void OnEvent(const Event& event);
  void Answered(NodeIndex at, uint64_t ticket, wire::ClientReply reply);
  // The process is gone, and with it every connection to it.
  void ProcessGone(NodeIndex node, uint64_t life);

  uint64_t operations() const { return operations_; }
  uint64_t done() const { return done_; }
  uint64_t not_done() const { return not_done_; }
  uint64_t unknown() const { return unknown_; }

 private:
  struct ClientState {
    // The operation under way; 0: none.
    uint64_t operation = 0;
    KeyIndex key;
    wire::ClientRequest request;
    NodeIndex node;
    uint32_t attempts = 0;
    bool unknown = false;  // some attempt's outcome is
    // What to do when the read under way is done.
    enum class Then : uint8_t { kNothing, kPut, kDelete };
    Then then = Then::kNothing;
    std::optional<KeyIndex> next_write;  // of what was read just now
    // The contexts it has got, by key.
    std::map<KeyIndex, std::string> contexts;
  };
  struct Attempt {
    uint64_t operation = 0;
    uint32_t client = 0;
    NodeIndex node;
    uint64_t life = 0;
    VirtualTime submitted_at;
    Duration deadline{};
    bool submitted = false;
    bool abandoned = false;       // its client no longer waits
    wire::ClientRequest request;  // until it is submitted
  };

  // The client that does the final reads.
  static constexpr uint32_t kNobody = ~uint32_t{0};
  // How late an answer may be: ticks find what is over.
  static constexpr Duration kAnswerSlack = std::chrono::milliseconds(25);

  void Wake(uint32_t client);
  void ScheduleNext(uint32_t client);
  void BeginOperation(uint32_t client);
  wire::ClientRequest DrawRequest(uint32_t client, KeyIndex key, bool* must_fail);
  wire::ClientRequest MakePut(std::string context);
  KeyIndex DrawKey();
  NodeIndex DrawNode();
  wire::QuorumOptions DrawQuorum(KeyIndex key, bool write);
  void Spoil(uint32_t client, KeyIndex key, wire::ClientRequest* request);
  void BeginAttempt(uint32_t client);
  void Send(uint64_t operation, uint32_t client, NodeIndex node,
            const wire::ClientRequest& request);
  void Submit(uint64_t ticket);
  bool Overdue(const Attempt& attempt) const;
  void OutOfPatience(uint64_t ticket);
  // What the client knows of its attempt now.
  enum class Outcome : uint8_t { kDone, kNotDone, kUnknown };
  void AttemptEnded(uint32_t client, Outcome outcome);
  void OperationEnded(uint32_t client, Outcome outcome);

  World* const world_;
  const Plan& plan_;
  const std::vector<SimKey>& keys_;
  Checker* const checker_;
  Door* const door_;
  Random random_;

  bool quiet_ = false;
  bool lose_replies_ = false;
  std::vector<ClientState> clients_;
  uint32_t busy_clients_ = 0;
  std::map<uint64_t, Attempt> attempts_;  // by ticket
  uint64_t tickets_ = 0;

  uint64_t final_operation_ = 0;
  bool final_read_ = false;
  bool final_read_done_ = false;

  uint64_t operations_ = 0;
  uint64_t done_ = 0;
  uint64_t not_done_ = 0;
  uint64_t unknown_ = 0;
};

}  // namespace eddy::sim
