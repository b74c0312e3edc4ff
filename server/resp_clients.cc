#include "server/resp_clients.h"

#include <fmt/format.h>

#include "server/resp_pipeline.h"

namespace eddy::server {

void RespClients::Add(RespClient* client) {
  client->id = ++connections_total_;
  clients_.emplace(client->id, client);
}

std::string RespClientLine(const RespClient& client, MonotonicTime now) {
  const auto seconds_since = [now](MonotonicTime then) {
    return std::chrono::duration_cast<std::chrono::seconds>(now - then).count();
  };
  std::string flags;
  if (client.no_evict) flags += 'e';
  if (client.no_touch) flags += 'T';
  if (flags.empty()) flags = "N";
  return fmt::format(
      "id={} addr={} laddr={} name={} age={} idle={} flags={} db=0 sub=0 psub=0 multi=-1 cmd={} "
      "user=default resp={} lib-name={} lib-ver={}",
      client.id, client.peer_address, client.local_address, client.name,
      seconds_since(client.connected_at), seconds_since(client.active_at), flags,
      client.last_command, static_cast<int>(client.pipeline->version()), client.library_name,
      client.library_version);
}

}  // namespace eddy::server
