// What the connections of one RESP door know of one another: who is there (CLIENT LIST, CLIENT
// KILL) and how much was asked (INFO). Loop thread only; outlives the sessions.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/time.h"
#include "server/resp_writer.h"

namespace eddy::server {

class RespPipeline;

// One connection, as its commands see and change it.
struct RespClient {
  uint64_t id = 0;  // given by RespClients
  std::string peer_address;
  std::string local_address;
  std::string name;
  std::string library_name;
  std::string library_version;
  bool no_evict = false;
  bool no_touch = false;
  MonotonicTime connected_at;
  MonotonicTime active_at;
  std::string_view last_command = "NULL";  // of the command table
  RespPipeline* pipeline = nullptr;
};

class RespClients {
 public:
  // Gives the client its id; it stays where it is until Remove.
  void Add(RespClient* client);
  void Remove(const RespClient& client) { clients_.erase(client.id); }

  // In the order in which they came.
  const std::map<uint64_t, RespClient*>& clients() const { return clients_; }
  uint64_t connections_total() const { return connections_total_; }

  void CountCommand() { ++commands_total_; }
  uint64_t commands_total() const { return commands_total_; }

 private:
  std::map<uint64_t, RespClient*> clients_;
  uint64_t connections_total_ = 0;
  uint64_t commands_total_ = 0;
};

// A line of CLIENT LIST, without its end.
std::string RespClientLine(const RespClient& client, MonotonicTime now);

}  // namespace eddy::server
