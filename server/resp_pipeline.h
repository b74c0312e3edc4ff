// One connection's commands on their way through the node. Many are in flight at once and complete
// in any order, and yet
//   - replies leave in the order of the commands;
//   - on any one key, the commands of the connection act one after another, as they would in Redis:
//     a pipeline of SET, APPEND, GET finds its own writes. Reads of a key may be under way
//     together, and so may plain writes, whose order the coordinator keeps; everything else waits
//     for its turn in the lane of its key.
// A command is one place in the reply order; it has one operation per key. Bounded by its limits.
// Loop thread only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/time.h"
#include "server/front.h"
#include "server/resp_writer.h"
#include "server/session.h"
#include "wire/client_message.h"

namespace eddy::server {

// Writes the reply of a read or of a plain write that went well.
using RespRender = void (*)(const wire::ClientReply& reply, WallTime now, RespWriter* writer);

// What a read-modify-write command makes of what it read.
struct RespChange {
  enum class Kind { kNone, kPut, kDelete };

  Kind kind = Kind::kNone;
  std::string value;
  WallTime expires_at = lattice::Sibling::kNever;
};

// Looks at the value found (null if absent; it may be moved from) and says what to write over it.
// What it writes to `reply` is sent if that write goes well.
using RespDecide =
    std::move_only_function<RespChange(wire::ShownSibling* found, WallTime now, RespWriter* reply)>;

struct RespOperation {
  // With `decide`, a get; the change is then put with the context of what was read.
  wire::ClientRequest request;
  RespDecide decide;
};

// How the operations of one command make one reply.
enum class RespGather : uint8_t {
  kOne,     // one operation, which says it all
  kValues,  // an array of what each found
  kCount,   // how many found (or changed) something
  kAll,     // OK
};

// The value that a reply shows, null if there is none (any more).
const wire::ShownSibling* ShownValue(const wire::ClientReply& reply, WallTime now);

struct RespPipelineLimits {
  size_t operations_max = 256;  // given to the node at once; the others queue here
  size_t commands_max = 1024;   // whose replies have not left; beyond it no input is taken
  // Of commands and replies that are held; may be passed by the last command taken.
  size_t held_bytes_max = 4 * kValueBytesMax;
};

class RespPipeline {
 public:
  RespPipeline(Front* front, Outlet* outlet, const RespPipelineLimits& limits);
  ~RespPipeline();
  RespPipeline(const RespPipeline&) = delete;
  RespPipeline& operator=(const RespPipeline&) = delete;

  // Whether another command may come. When not, the outlet is woken once it may.
  bool HasRoom() const;
  // Whether replies are still to come.
  bool Awaits() const { return first_place_ != end_place_; }
  bool closed() const { return closed_; }
  // Commands and replies that are held, and what is kept for those to come.
  size_t memory_bytes() const {
    return held_bytes_ + places_.capacity() * sizeof(Place) +
           operations_.capacity() * sizeof(Operation) + (lanes_ == nullptr ? 0 : sizeof(Lanes));
  }
  // Keeps nothing for commands to come. Requires that none is awaited.
  void Rest();

  // For the commands that follow; those before keep theirs.
  RespVersion version() const { return version_; }
  void set_version(RespVersion version) { version_ = version; }

  // A reply that is known at once, in its place. The writer serves until the next call.
  RespWriter Answer();
  // A command of one operation.
  void Run(RespOperation operation, RespRender render = nullptr);
  // A command of many: Open, then Add so many times. `operations` is at least 1.
  void Open(RespGather gather, size_t operations, RespRender render = nullptr);
  void Add(RespOperation operation);
  // Answers with the number of replicas, other than the coordinator, that had acknowledged the last
  // write before this place.
  void AnswerReplicas();
  // The last reply (as RESP bytes): the connection closes behind it, and no more input is taken.
  void AnswerAndClose(std::string bytes);
  // Sends what is under way nowhere, and closes now.
  void Close();

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kLanes = 256;

  struct Place {
    RespGather gather = RespGather::kOne;
    RespVersion version = RespVersion::k2;
    bool tells_replicas = false;
    bool closes = false;
    uint32_t operations = 0;
    uint32_t open = 0;  // operations that have not ended
    uint32_t failed = 0;
    bool unknown = false;  // whether `error` is of unknown outcome
    std::string error;     // the gravest of those that failed
    RespRender render = nullptr;
    wire::ClientReply reply;  // for `render`
    std::string bytes;        // or the reply as it will be sent
    std::vector<std::optional<std::string>> values;
    int64_t count = 0;
    std::optional<uint8_t> answered;  // the fewest replicas that acknowledged one of its writes
    size_t held_bytes = 0;
  };

  enum class Access : uint8_t { kRead, kWrite, kExclusive };

  struct Operation {
    uint64_t place = 0;
    uint32_t part = 0;      // of its command
    uint32_t next = kNone;  // in a lane's queue, in ready_, or in the free list
    uint16_t lane = 0;
    Access access = Access::kRead;
    bool writes = false;  // what was submitted last is a write
    wire::ClientRequest request;
    RespDecide decide;  // until it has decided
  };

  // Operations by index, linked through `next`.
  struct Queue {
    uint32_t first = kNone;
    uint32_t last = kNone;
  };

  // The keys of one hash. Strangers may share a lane: they wait for one another in vain, but never
  // for ever, since whoever has entered a lane depends on nobody.
  struct Lane {
    Access access = Access::kRead;  // of those that have entered
    uint32_t entered = 0;
    Queue waiting;
  };
  using Lanes = std::array<Lane, kLanes>;

  Place& PlaceAt(uint64_t number) { return places_[number & (places_.size() - 1)]; }
  Place& PushPlace();
  uint32_t NewOperation();
  void Append(Queue* queue, uint32_t index);
  uint32_t PopFirst(Queue* queue);

  bool MayEnter(const Lane& lane, Access access) const;
  void EnterLane(uint32_t index);
  void LeaveLane(uint16_t number);
  void Start(uint32_t index);
  void Submit(uint32_t index);
  void OnReply(uint32_t index, wire::ClientReply reply);
  // Whether the operation goes on with a write.
  bool Decide(uint32_t index, wire::ClientReply* reply);
  void End(uint32_t index, wire::ClientReply reply);
  void Fail(Place* place, const wire::ClientReply& reply);
  void Render(Place* place);
  void RenderError(const Place& place, RespWriter* writer);
  // False once the connection closes: touch nothing after that.
  bool Flush();

  Front* const front_;
  Outlet* const outlet_;
  const RespPipelineLimits limits_;
  // Outlives this object in the callbacks of operations under way, which find it null then.
  const std::shared_ptr<RespPipeline*> anchor_;

  RespVersion version_ = RespVersion::k2;
  bool ending_ = false;  // the last reply has its place
  bool closed_ = false;
  uint8_t last_answered_ = 0;  // as of the last place that left

  // The places [first_place_, end_place_), at their number modulo the size (a power of two).
  std::vector<Place> places_;
  uint64_t first_place_ = 0;
  uint64_t end_place_ = 0;
  size_t held_bytes_ = 0;

  std::vector<Operation> operations_;
  uint32_t free_ = kNone;
  size_t operations_open_ = 0;
  size_t operations_submitted_ = 0;
  Queue ready_;                   // may be submitted, but operations_max are
  std::unique_ptr<Lanes> lanes_;  // null until there is an operation
};

}  // namespace eddy::server
