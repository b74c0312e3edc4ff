// The door for datagrams: what gossip sends and hears, on the peer door's address and port, by UDP.
// It promises nothing: what cannot leave at once, because a name has no address yet or the socket
// is full, is dropped and counted. Names are looked up beside the loop and remembered for a while,
// since a container may come back with another address. Loop thread only; destroy it only after
// Close and a turn of the loop (`empty`).
#pragma once

#include <uv.h>

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"
#include "gossip/member.h"
#include "gossip/packet.h"
#include "server/fault_table.h"

namespace eddy::server {

class GossipDoor {
 public:
  struct Counters {
    uint64_t sent = 0;
    uint64_t received = 0;
    uint64_t dropped = 0;
  };
  // `from` is numeric.
  using Receive = std::function<void(const gossip::Address& from, std::string_view bytes)>;
  using Clock = std::function<MonotonicTime()>;

  // The port 0 opens no door. `faults` may be null, and outlives the door.
  GossipDoor(uv_loop_t* loop, gossip::Address at, Receive receive, Clock clock,
             FaultTable* faults = nullptr);
  ~GossipDoor();
  GossipDoor(const GossipDoor&) = delete;
  GossipDoor& operator=(const GossipDoor&) = delete;

  // kIo, saying what to do, when the port is in use or the address is not this machine's. Blocks
  // for the lookup of a name.
  [[nodiscard]] Status Open();
  void Send(const gossip::Address& to, std::string_view bytes);
  // Moves on what faults have kept.
  void Tick(MonotonicTime now);

  void Close();
  bool empty() const { return socket_ == nullptr && lookups_ == 0; }
  const Counters& counters() const { return counters_; }

 private:
  // How long an address is taken for a name's; and how many are known at a time.
  static constexpr Duration kKnownFor = std::chrono::seconds(5);
  static constexpr size_t kNamesMax = 4096;

  // Beyond so many that faults keep, datagrams are dropped.
  static constexpr size_t kKeptMax = 10'000;

  struct Kept {
    MonotonicTime due;
    FaultTable::Direction direction;
    gossip::Address peer;
    std::string bytes;
  };
  struct Name {
    sockaddr_storage address{};  // of no family: none was found yet
    MonotonicTime looked_up_at;
    bool looking = false;
  };
  struct Lookup;

  void SendNow(const gossip::Address& to, std::string_view bytes);
  // Whether the datagram passes now.
  bool Passes(FaultTable::Direction direction, const gossip::Address& peer, std::string_view bytes);
  // Null: not known, or not yet.
  const sockaddr* Resolve(const gossip::Address& to, sockaddr_storage* numeric);
  void LookUp(const gossip::Address& to, Name* name);
  void OnDatagram(std::string_view bytes, const sockaddr* from);

  uv_loop_t* const loop_;
  const gossip::Address at_;
  const Receive receive_;
  const Clock clock_;
  FaultTable* const faults_;

  // Heap-allocated, since libuv uses it until its close callback, which frees it.
  uv_udp_t* socket_ = nullptr;
  bool closing_ = false;
  std::map<gossip::Address, Name> names_;
  size_t lookups_ = 0;
  std::deque<Kept> kept_;
  // One byte more than a packet may have, so that a longer datagram is seen to be one.
  std::array<char, gossip::kPacketBytesMax + 1> buffer_{};
  Counters counters_;
};

}  // namespace eddy::server
