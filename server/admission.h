// Which of the clients' requests the node may begin, by the memory that they hold
// (server/request_memory.h). What may not waits here, in order, until enough of what is under way
// has ended; and whoever has waited for as long as its client would is given back, not done.
//
//   Admit ─▶ begin it now: Began … Ended
//     └────▶ it waits ─▶ Next: begin it now
//                    └─▶ TakeExpired: refuse it
//
// Values, no clock: time is passed in. Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/time.h"
#include "server/front.h"
#include "server/request_memory.h"
#include "wire/client_message.h"

namespace eddy::server {

class Admission {
 public:
  struct Request {
    wire::ClientRequest request;
    Front::Done done;
    MonotonicTime since;
    MonotonicTime until;  // its deadline
  };

  explicit Admission(size_t bytes_max);

  // The request back where it may begin now; nullopt: it waits.
  [[nodiscard]] std::optional<Request> Admit(Request request);
  // The next of those that wait, if it may begin now.
  [[nodiscard]] std::optional<Request> Next();
  // Whether Next would give one.
  bool HasNext() const { return !waiting_.empty() && MayBegin(); }
  // Those whose deadline is not after `now`, in order.
  [[nodiscard]] std::vector<Request> TakeExpired(MonotonicTime now);

  // What the request holds until it is answered, in bytes, about: the coordinator's own copy of a
  // value, and those on their way to other replicas; of what is read, as much as is usual here.
  // Pass it to Ended.
  [[nodiscard]] size_t Began(const wire::ClientRequest& request);
  void Ended(size_t held_bytes);
  // What a get has found: what is usual is learnt from it.
  void Found(const wire::ClientReply& reply);

  size_t waiting() const { return waiting_.size(); }
  // For whatever else holds some of it.
  RequestMemory& memory() { return memory_; }
  const RequestMemory& memory() const { return memory_; }

 private:
  bool MayBegin() const;
  void NoteWaiting() { memory_.parked = waiting_.size(); }

  RequestMemory memory_;
  MemoryShare waiting_share_;
  MemoryShare under_way_share_;
  std::deque<Request> waiting_;
  size_t under_way_ = 0;
  // Bytes of the values that a get finds. At first nobody knows, and a start is when all clients
  // come at once.
  uint64_t found_usual_ = 1024 * 1024;
};

}  // namespace eddy::server
