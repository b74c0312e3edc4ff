// One command on its way to its handler, and what handlers share. A handler checks its arguments,
// then either answers at once or gives the pipeline operations to run; it keeps nothing of the
// call.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "server/front.h"
#include "server/resp_clients.h"
#include "server/resp_command.h"
#include "server/resp_pipeline.h"
#include "server/resp_session.h"
#include "wire/client_message.h"

namespace eddy::server {

struct RespCall {
  const RespCommand& command;
  // The name first. Borrowed from the input.
  std::span<const std::string_view> arguments;
  Front& front;
  RespPipeline& pipeline;
  RespClient& client;
  RespClients& clients;
  const RespOptions& options;

  void Ok() const { pipeline.Answer().Simple("OK"); }
  // `text` begins with its code: "ERR ...".
  void Error(std::string_view text) const { pipeline.Answer().Error(text); }
  void SyntaxError() const { Error("ERR syntax error"); }
  void WrongArity() const;
};

// Requests about a key of the bucket that holds RESP's keys.
wire::ClientRequest RespGet(std::string_view key);
wire::ClientRequest RespPut(std::string_view key, std::string_view value,
                            WallTime expires_at = lattice::Sibling::kNever);

// Words are compared without regard to case; `upper` is in capitals.
bool RespWordIs(std::string_view word, std::string_view upper);

// A whole 64-bit number as Redis takes it: no sign but '-', no leading zeros or spaces.
std::optional<int64_t> RespInteger(std::string_view text);

inline constexpr std::string_view kRespNotAnInteger = "ERR value is not an integer or out of range";

}  // namespace eddy::server
