// One connection's side of a load: how its requests look on each kind of door, and where a reply
// ends. Does no more than the measurement needs, since the load generator takes its
// processor time from the servers beside it. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "wire/client_message.h"

namespace eddy::tools {

// kFloor: that of the bare quorum store in bench/floor.
enum class Door { kNative, kResp, kFloor };

// "native", "resp", "floor".
std::string_view NameOf(Door door);

enum class LoadVerb { kGet, kSet, kGetMany };

struct LoadRequest {
  uint32_t slot = 0;  // of the connection's window; free again when its reply is taken
  LoadVerb verb = LoadVerb::kGet;
  std::string_view key;
  std::span<const std::string>
      keys;                  // of kGetMany, which the RESP door alone has, instead of `key`
  std::string_view value;    // of a set
  std::string_view context;  // of a set: what it has seen; the native door's alone
};

struct LoadReply {
  size_t size = 0;  // how much of the input it took
  uint32_t slot = 0;
  bool absent = false;         // no value: of a get, nothing was found; of several, none of them
  std::string context;         // of a get: what was seen; the native door's alone
  std::optional<Error> error;  // of the server's
};

class LoadProtocol {
 public:
  virtual ~LoadProtocol() = default;
  // An error for a request that the protocol cannot carry.
  [[nodiscard]] virtual Status AppendRequest(const LoadRequest& request, std::string* out) = 0;
  // The reply at the front of `input` (8-byte aligned); nothing when more bytes are needed. An
  // error means that the stream cannot be followed any further.
  [[nodiscard]] virtual Result<std::optional<LoadReply>> TakeReply(std::string_view input) = 0;
};

struct LoadProtocolOptions {
  Door door = Door::kNative;
  std::string bucket;  // native only
  wire::QuorumOptions quorum;
  uint64_t client = 0;  // random: request ids are unique by it
  uint32_t window = 1;  // slots
};

std::unique_ptr<LoadProtocol> MakeLoadProtocol(const LoadProtocolOptions& options);

}  // namespace eddy::tools
