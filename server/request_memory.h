// The memory that clients' requests hold at this node, over all doors, in two accounts of one share
// (server/memory_plan.h), so that it does not matter whether ten thousand clients ask for little or
// ten for much:
//
//   taken      what sockets have brought and the node has not begun: messages in part, requests
//              that wait for memory, commands in a pipeline
//   under way  what the node works on, and the replies that clients have not taken yet
//
// Where either is full, or something is parked,
//   - a session takes no more while it has something in flight (server/session.h, crowded);
//   - what comes all the same waits, parked, until enough of what is under way has ended, and is
//     refused, not done, once it has waited as long as it could (server/admission.h);
//   - of messages too large for one read, one after the other is read to its end;
//   - who neither takes replies nor ends a message loses the connection sooner.
// So clients are slowed down by their own sockets first. What comes last may pass a bound: a value
// of any size goes through. Loop thread only.
#pragma once

#include <cstddef>

namespace eddy::server {

class MemoryAccount {
 public:
  explicit MemoryAccount(size_t bytes_max) : bytes_max_(bytes_max) {}

  size_t bytes() const { return bytes_; }
  size_t bytes_max() const { return bytes_max_; }
  bool full() const { return bytes_ >= bytes_max_; }

 private:
  friend class MemoryShare;

  const size_t bytes_max_;
  size_t bytes_ = 0;
};

// What one holder holds of an account: given back at the end.
class MemoryShare {
 public:
  // Null: nobody counts.
  explicit MemoryShare(MemoryAccount* account) : account_(account) {}
  ~MemoryShare() { Set(0); }
  MemoryShare(const MemoryShare&) = delete;
  MemoryShare& operator=(const MemoryShare&) = delete;

  void Set(size_t bytes) {
    if (account_ != nullptr) account_->bytes_ += bytes - bytes_;
    bytes_ = bytes;
  }
  void Add(size_t bytes) { Set(bytes_ + bytes); }
  void Take(size_t bytes) { Set(bytes_ - bytes); }
  size_t bytes() const { return bytes_; }

 private:
  MemoryAccount* const account_;
  size_t bytes_ = 0;
};

struct RequestMemory {
  explicit RequestMemory(size_t bytes_max) : taken(bytes_max / 2), under_way(bytes_max / 2) {}

  MemoryAccount taken;
  MemoryAccount under_way;
  // Requests that wait for memory.
  size_t parked = 0;

  // Also while those that wait could be begun: they come first.
  bool crowded() const { return taken.full() || under_way.full() || parked > 0; }
  // More is taken than even both accounts allow.
  bool overrun() const { return taken.bytes() >= taken.bytes_max() + under_way.bytes_max(); }
};

}  // namespace eddy::server
