// What a RESP client is told when the node did not do what was asked. The first word is a code that
// clients pass through to the application, so each tells apart what a program should do next:
//
//   ERR          the request is wrong, and would be wrong again
//   CLUSTERDOWN  nothing done: too few replicas could be asked
//   TRYAGAIN     nothing done: a queue is full
//   LOADING      nothing done: this node is starting
//   TIMEOUT      a read that found too few answers in time
//   EDDYUNKNOWN  a write that may or may not be stored
//   IOERR        nothing done: the store reported an error, or bytes that fail their checksum
#pragma once

#include <string>

#include "wire/client_message.h"

namespace eddy::server {

// Requires reply.error. `starting`: the node that was asked is not ready yet.
std::string RespErrorText(const wire::ClientReply& reply, bool starting);

}  // namespace eddy::server
