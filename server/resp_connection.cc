// The commands about the connection itself. They act when they are read, while their replies wait
// for their turn.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "server/resp_call.h"
#include "server/resp_handlers.h"
#include "server/resp_info.h"

namespace eddy::server {

namespace {

constexpr size_t kNameBytesMax = 256;

// As Redis has it, so that CLIENT LIST stays one line a client.
bool IsName(std::string_view name) {
  return name.size() <= kNameBytesMax &&
         std::ranges::all_of(name, [](char c) { return c >= '!' && c <= '~'; });
}

void RunSwitch(const RespCall& call, bool RespClient::* flag) {
  if (RespWordIs(call.arguments[2], "ON")) {
    call.client.*flag = true;
  } else if (RespWordIs(call.arguments[2], "OFF")) {
    call.client.*flag = false;
  } else {
    return call.SyntaxError();
  }
  call.Ok();
}

// Which connections CLIENT KILL means.
struct KillFilter {
  std::optional<uint64_t> id;
  std::optional<std::string_view> address;
  std::optional<std::string_view> local_address;
  bool skip_self = true;

  bool Matches(const RespClient& client, const RespClient& self) const {
    return (!id || client.id == *id) && (!address || client.peer_address == *address) &&
           (!local_address || client.local_address == *local_address) &&
           !(skip_self && &client == &self);
  }
};

std::optional<KillFilter> ParseKillFilter(const RespCall& call) {
  const auto words = call.arguments.subspan(2);
  if (words.size() == 1) {
    return KillFilter{.id = {}, .address = words[0], .local_address = {}, .skip_self = false};
  }
  KillFilter filter;
  for (size_t at = 0; at < words.size(); at += 2) {
    if (at + 1 == words.size()) return std::nullopt;
    const std::string_view value = words[at + 1];
    if (RespWordIs(words[at], "ID")) {
      const auto id = RespInteger(value);
      if (!id || *id <= 0) return std::nullopt;
      filter.id = static_cast<uint64_t>(*id);
    } else if (RespWordIs(words[at], "ADDR")) {
      filter.address = value;
    } else if (RespWordIs(words[at], "LADDR")) {
      filter.local_address = value;
    } else if (RespWordIs(words[at], "SKIPME") &&
               (RespWordIs(value, "YES") || RespWordIs(value, "NO"))) {
      filter.skip_self = RespWordIs(value, "YES");
    } else {
      return std::nullopt;
    }
  }
  return filter;
}

struct HelloOptions {
  RespVersion version;
  std::optional<std::string_view> name;
};

// Answers the error, and returns nothing, for a greeting that cannot be met; it then changes
// nothing.
std::optional<HelloOptions> ParseHello(const RespCall& call) {
  const auto words = call.arguments;
  HelloOptions options{.version = call.pipeline.version(), .name = {}};
  const auto fail = [&](std::string_view error) {
    call.Error(error);
    return std::nullopt;
  };
  if (words.size() > 1) {
    const auto version = RespInteger(words[1]);
    if (!version) return fail("ERR Protocol version is not an integer or out of range");
    if (*version != 2 && *version != 3) return fail("NOPROTO unsupported protocol version");
    options.version = *version == 2 ? RespVersion::k2 : RespVersion::k3;
  }
  for (size_t at = 2; at < words.size(); ++at) {
    if (RespWordIs(words[at], "AUTH")) {
      return fail(RespUnknownCommandText(words.subspan(at, 1)));
    }
    if (!RespWordIs(words[at], "SETNAME") || ++at == words.size()) {
      return fail("ERR Syntax error in HELLO");
    }
    if (!IsName(words[at])) {
      return fail("ERR Client names cannot contain spaces, newlines or special characters.");
    }
    options.name = words[at];
  }
  return options;
}

}  // namespace

void RespRunPing(const RespCall& call) {
  if (call.arguments.size() > 2) return call.WrongArity();
  RespWriter writer = call.pipeline.Answer();
  if (call.arguments.size() == 2) {
    writer.Bulk(call.arguments[1]);
  } else {
    writer.Simple("PONG");
  }
}

void RespRunEcho(const RespCall& call) { call.pipeline.Answer().Bulk(call.arguments[1]); }

void RespRunOk(const RespCall& call) { call.Ok(); }

void RespRunQuit(const RespCall& call) { call.pipeline.AnswerAndClose("+OK\r\n"); }

void RespRunReset(const RespCall& call) {
  call.client.name.clear();
  call.client.no_evict = false;
  call.client.no_touch = false;
  call.pipeline.set_version(RespVersion::k2);
  call.pipeline.Answer().Simple("RESET");
}

void RespRunSelect(const RespCall& call) {
  const auto index = RespInteger(call.arguments[1]);
  if (!index) return call.Error(kRespNotAnInteger);
  if (*index != 0) return call.Error("ERR DB index is out of range: there is one database, 0");
  call.Ok();
}

void RespRunHello(const RespCall& call) {
  const auto options = ParseHello(call);
  if (!options) return;
  call.pipeline.set_version(options->version);
  if (options->name) call.client.name = *options->name;
  RespWriter writer = call.pipeline.Answer();
  writer.Map(7);
  writer.Bulk("server");
  writer.Bulk("redis");
  writer.Bulk("version");
  writer.Bulk(kRespRedisVersion);
  writer.Bulk("proto");
  writer.Integer(static_cast<int64_t>(options->version));
  writer.Bulk("id");
  writer.Integer(static_cast<int64_t>(call.client.id));
  writer.Bulk("mode");
  writer.Bulk("cluster");
  writer.Bulk("role");
  writer.Bulk("master");
  writer.Bulk("modules");
  writer.Array(0);
}

void RespRunClientId(const RespCall& call) {
  call.pipeline.Answer().Integer(static_cast<int64_t>(call.client.id));
}

void RespRunClientGetName(const RespCall& call) {
  RespWriter writer = call.pipeline.Answer();
  if (call.client.name.empty()) return writer.Null();
  writer.Bulk(call.client.name);
}

void RespRunClientSetName(const RespCall& call) {
  if (!IsName(call.arguments[2])) {
    return call.Error("ERR Client names cannot contain spaces, newlines or special characters.");
  }
  call.client.name = call.arguments[2];
  call.Ok();
}

void RespRunClientSetInfo(const RespCall& call) {
  const std::string_view value = call.arguments[3];
  if (!IsName(value)) {
    return call.Error(fmt::format("ERR {} cannot contain spaces, newlines or special characters.",
                                  call.arguments[2].substr(0, kNameBytesMax)));
  }
  if (RespWordIs(call.arguments[2], "LIB-NAME")) {
    call.client.library_name = value;
  } else if (RespWordIs(call.arguments[2], "LIB-VER")) {
    call.client.library_version = value;
  } else {
    return call.Error(
        fmt::format("ERR Unrecognized option '{}'", call.arguments[2].substr(0, kNameBytesMax)));
  }
  call.Ok();
}

void RespRunClientInfo(const RespCall& call) {
  call.pipeline.Answer().Verbatim(RespClientLine(call.client, call.front.now().monotonic) + "\n");
}

void RespRunClientList(const RespCall& call) {
  const auto words = call.arguments.subspan(2);
  std::vector<uint64_t> ids;
  if (!words.empty()) {
    const bool all =
        words.size() == 2 && RespWordIs(words[0], "TYPE") && RespWordIs(words[1], "NORMAL");
    if (!all && (words.size() < 2 || !RespWordIs(words[0], "ID"))) return call.SyntaxError();
    for (const std::string_view word : all ? words.subspan(2) : words.subspan(1)) {
      const auto id = RespInteger(word);
      if (!id || *id <= 0) return call.Error("ERR Invalid client ID");
      ids.push_back(static_cast<uint64_t>(*id));
    }
    std::ranges::sort(ids);
  }
  const MonotonicTime now = call.front.now().monotonic;
  std::string text;
  for (const auto& [id, client] : call.clients.clients()) {
    if (!ids.empty() && !std::ranges::binary_search(ids, id)) continue;
    text += RespClientLine(*client, now) + "\n";
  }
  call.pipeline.Answer().Verbatim(text);
}

void RespRunClientKill(const RespCall& call) {
  const auto filter = ParseKillFilter(call);
  if (!filter) return call.SyntaxError();
  std::vector<RespClient*> killed;
  for (const auto& [id, client] : call.clients.clients()) {
    if (filter->Matches(*client, call.client)) killed.push_back(client);
  }
  const bool by_address_alone = call.arguments.size() == 3;
  if (by_address_alone && killed.empty()) return call.Error("ERR No such client");
  bool kills_self = false;
  for (RespClient* client : killed) {
    if (client == &call.client) {
      kills_self = true;
    } else if (!client->pipeline->closed()) {
      client->pipeline->Close();
    }
  }
  const auto write = [&](RespWriter writer) {
    if (by_address_alone) return writer.Simple("OK");
    writer.Integer(static_cast<int64_t>(killed.size()));
  };
  if (!kills_self) return write(call.pipeline.Answer());
  std::string last;
  write(RespWriter(&last, call.pipeline.version()));
  call.pipeline.AnswerAndClose(std::move(last));
}

void RespRunClientNoEvict(const RespCall& call) { RunSwitch(call, &RespClient::no_evict); }
void RespRunClientNoTouch(const RespCall& call) { RunSwitch(call, &RespClient::no_touch); }

}  // namespace eddy::server
