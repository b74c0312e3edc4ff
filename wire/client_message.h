// What clients ask of a node and what it answers, as plain values: the same structs come out of the
// native door, the RESP door and the simulator's clients, and travel inside a forward from one node
// to another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/hybrid_clock.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/time.h"
#include "lattice/dot.h"
#include "lattice/record.h"

namespace eddy::wire {

// Quorum sizes for one request; what is not given comes from the bucket's properties.
struct QuorumOptions {
  std::optional<uint8_t> n;
  std::optional<uint8_t> r;
  std::optional<uint8_t> w;
  std::optional<uint8_t> pr;  // of the r, so many must be primaries
  std::optional<uint8_t> pw;  // of the w, so many must be primaries
  // Whether nodes outside the preference list may stand in for those in it that cannot be reached.
  std::optional<bool> sloppy;

  friend bool operator==(const QuorumOptions&, const QuorumOptions&) = default;
};

struct GetAction {
  // Every sibling, also in an `lww` bucket (which otherwise shows the last writer's alone).
  bool all_siblings = false;

  friend bool operator==(const GetAction&, const GetAction&) = default;
};

struct PutAction {
  std::string value;
  // A token from an earlier reply (wire/context_token.h): this write replaces what that reply
  // showed. Empty: a write that has seen nothing, so it becomes a sibling of whatever is there; in
  // an `lww` bucket it replaces all that the coordinating replica holds.
  std::string context;
  WallTime expires_at = lattice::Sibling::kNever;

  friend bool operator==(const PutAction&, const PutAction&) = default;
};

struct DeleteAction {
  // As in PutAction; empty deletes all that the coordinating replica holds.
  std::string context;

  friend bool operator==(const DeleteAction&, const DeleteAction&) = default;
};

// A record as it was stored once, from a backup: joined with what is there, as one from another
// replica is. So it never takes the place of anything newer, and its writes keep their dots.
struct RestoreAction {
  std::string record;  // encoded (storage/record_codec.h), at most kRestoreRecordBytesMax

  friend bool operator==(const RestoreAction&, const RestoreAction&) = default;
};
// Room for one sibling with the largest value and context. A larger record is restored in parts,
// whose join it is.
inline constexpr size_t kRestoreRecordBytesMax = kValueBytesMax + 512 * 1024;

struct ClientRequest {
  RequestId id;  // a retry carries the same id; none (all zero) is never remembered
  std::string bucket;
  std::string key;
  QuorumOptions quorum;
  Duration deadline{};  // how long the client waits; zero: the node's default
  std::variant<GetAction, PutAction, DeleteAction, RestoreAction> action;

  bool IsWrite() const { return !std::holds_alternative<GetAction>(action); }
  friend bool operator==(const ClientRequest&, const ClientRequest&) = default;
};

// How long a client may ask to be waited for.
inline constexpr Duration kDeadlineMax = std::chrono::hours(24);

// What every door asks of a request before anything is done with it: kInvalidArgument or kTooLarge,
// saying what to change, for a bucket, key, value, context, deadline, expiry or record out of its
// limits.
[[nodiscard]] Status CheckRequest(const ClientRequest& request);

struct ShownSibling {
  lattice::Dot dot;
  Timestamp timestamp;
  WallTime expires_at = lattice::Sibling::kNever;
  std::string value;

  friend bool operator==(const ShownSibling&, const ShownSibling&) = default;
};

// The three classes of reply: done (no error); not done; and unknown (Code::kUnknownOutcome: the
// write may be stored).
struct ClientReply {
  RequestId id;
  std::optional<Error> error;
  // The quorum: how many replicas had to answer, and how many had when this reply was made.
  uint8_t needed = 0;
  uint8_t answered = 0;
  // How many of those that answered are owners of the key, not stand-ins.
  uint8_t primaries = 0;
  // What the reader has now seen: pass it to the write that replaces it. Empty when nothing was
  // ever there.
  std::string context;
  // Of a get: the siblings, in dot order; none: absent or deleted. Of a put and a delete: empty.
  std::vector<ShownSibling> siblings;

  friend bool operator==(const ClientReply&, const ClientReply&) = default;
};

}  // namespace eddy::wire
