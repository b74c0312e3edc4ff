// What happened in a run, twice over: as a hash of every event (time, kind, nodes, bytes), by which
// two runs are known to be the same, and, if somebody listens, as a story of one line each.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "ring/layout_history.h"
#include "sim/event_queue.h"
#include "wire/client_message.h"
#include "wire/peer_message.h"

namespace eddy::sim {

class Trace {
 public:
  using Listener = std::function<void(std::string_view line)>;

  // An empty listener: the hash alone.
  explicit Trace(Listener listener) : listener_(std::move(listener)) {}

  void Mix(VirtualTime at, const Event& event);
  void Mix(uint64_t word);
  void Mix(const wire::PeerMessage& message);
  void Mix(std::string_view datagram);
  void Mix(const wire::ClientReply& reply);
  uint64_t hash() const { return hash_; }

  // Ask before making a line: most runs have no listener.
  bool told() const { return listener_ != nullptr; }
  template <class... Args>
  void Tell(VirtualTime at, fmt::format_string<Args...> format, Args&&... args) {
    if (told()) Line(at, fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  void Line(VirtualTime at, std::string_view text);

  Listener listener_;
  uint64_t hash_ = 0;
};

std::string Describe(const wire::PeerMessage& message);
std::string Describe(const ring::LayoutHistory& history);
std::string Describe(const wire::ClientRequest& request);
std::string Describe(const wire::ClientReply& reply);
// Of an encoded record: its context and its siblings.
std::string DescribeRecord(std::string_view encoded);
std::string Describe(const lattice::CausalContext& context);
std::string Describe(const lattice::Dot& dot);

}  // namespace eddy::sim
