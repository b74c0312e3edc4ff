// Identities as types, so that a node is never taken for an actor. All are 128 random (or hashed)
// bits, ordered, and written as 32 hexadecimal digits.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace eddy {

std::string IdToHex(uint64_t high, uint64_t low);
bool IdFromHex(std::string_view hex, uint64_t* high, uint64_t* low);

template <class Tag>
struct Id128 {
  uint64_t high = 0;
  uint64_t low = 0;

  friend auto operator<=>(const Id128&, const Id128&) = default;

  // The all-zero id names nobody.
  bool IsNone() const { return high == 0 && low == 0; }
  std::string ToHex() const { return IdToHex(high, low); }
  static std::optional<Id128> FromHex(std::string_view hex) {
    Id128 id;
    if (!IdFromHex(hex, &id.high, &id.low)) return std::nullopt;
    return id;
  }
};

// A member of the cluster.
using NodeId = Id128<struct NodeTag>;
// One life of one data directory: the left half of every dot. A directory that may have forgotten
// which dots it minted takes a new one.
using ActorId = Id128<struct ActorTag>;

// A client's request: the client's own random number and a sequence within it. A retry carries the
// same one.
struct RequestId {
  uint64_t client = 0;
  uint64_t sequence = 0;

  friend auto operator<=>(const RequestId&, const RequestId&) = default;
  bool IsNone() const { return client == 0 && sequence == 0; }
};

}  // namespace eddy
