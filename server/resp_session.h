// The RESP door: what a Redis client on one connection sees. Plain and cluster clients, of RESP2
// and RESP3, talk to any node; docs/RESP.md says which commands there are, and where their meaning
// differs from Redis for want of a leader. Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "server/front.h"
#include "server/resp_clients.h"
#include "server/resp_parser.h"
#include "server/resp_pipeline.h"
#include "server/session.h"

namespace eddy::server {

struct RespOptions {
  // Of this connection, as "host:port".
  std::string peer_address;
  std::string local_address;
  // How many replicas of a slot the CLUSTER replies name: the n of the bucket that holds RESP's
  // keys.
  uint8_t replicas = 3;
  // Shared by the connections of the door; borrowed. Null: this one believes to be alone.
  RespClients* clients = nullptr;
  // The largest command is what the connection must be able to buffer.
  RespParserLimits parser;
  RespPipelineLimits pipeline;
  // Of replies that one call of Consume may append before it yields to the socket.
  size_t output_bytes_max = 1024 * 1024;
};

std::unique_ptr<Session> MakeRespSession(Front* front, Outlet* outlet, RespOptions options);

}  // namespace eddy::server
