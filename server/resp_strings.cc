// The commands on strings. What needs to look before it writes is a get and then a put with the
// context of what was seen: it acts on what the coordinator's quorum shows, and is no lock.
#include <optional>
#include <string>
#include <utility>

#include "server/resp_call.h"
#include "server/resp_expiry.h"
#include "server/resp_handlers.h"

namespace eddy::server {

namespace {

constexpr WallTime kNever = lattice::Sibling::kNever;

void RenderOk(const wire::ClientReply&, WallTime, RespWriter* writer) { writer->Simple("OK"); }

void RenderValue(const wire::ClientReply& reply, WallTime now, RespWriter* writer) {
  const wire::ShownSibling* shown = ShownValue(reply, now);
  if (shown == nullptr) return writer->Null();
  writer->Bulk(shown->value);
}

void RenderLength(const wire::ClientReply& reply, WallTime now, RespWriter* writer) {
  const wire::ShownSibling* shown = ShownValue(reply, now);
  writer->Integer(shown == nullptr ? 0 : static_cast<int64_t>(shown->value.size()));
}

void WriteFound(const wire::ShownSibling* found, RespWriter* writer) {
  if (found == nullptr) return writer->Null();
  writer->Bulk(found->value);
}

RespChange Put(std::string value, WallTime expires_at) {
  return {RespChange::Kind::kPut, std::move(value), expires_at};
}

struct SetOptions {
  bool if_absent = false;
  bool if_present = false;
  bool get = false;
  bool keep_ttl = false;
  std::optional<WallTime> expires_at;

  bool IsPlain() const { return !if_absent && !if_present && !get && !keep_ttl; }
};

// Answers the error, and returns nothing, for options that SET does not take.
std::optional<SetOptions> ParseSetOptions(const RespCall& call) {
  SetOptions options;
  const auto fail = [&](std::string_view error = "ERR syntax error") {
    call.Error(error);
    return std::nullopt;
  };
  for (size_t at = 3; at < call.arguments.size(); ++at) {
    const std::string_view word = call.arguments[at];
    if (RespWordIs(word, "NX")) {
      options.if_absent = true;
    } else if (RespWordIs(word, "XX")) {
      options.if_present = true;
    } else if (RespWordIs(word, "GET")) {
      options.get = true;
    } else if (RespWordIs(word, "KEEPTTL")) {
      options.keep_ttl = true;
    } else if (const auto unit = RespExpiryUnitOf(word)) {
      if (options.expires_at || ++at == call.arguments.size()) return fail();
      const auto when = RespExpiry(call, call.arguments[at], *unit, RespExpirySign::kPositive);
      if (!when) return fail(when.error());
      options.expires_at = *when;
    } else {
      return fail();
    }
  }
  if (options.if_absent && options.if_present) return fail();
  if (options.keep_ttl && options.expires_at) return fail();
  return options;
}

RespDecide DecideSet(SetOptions options, std::string value) {
  return [options, value = std::move(value)](wire::ShownSibling* found, WallTime,
                                             RespWriter* reply) mutable -> RespChange {
    const bool refused = found == nullptr ? options.if_present : options.if_absent;
    if (options.get) {
      WriteFound(found, reply);
    } else if (refused) {
      reply->Null();
    } else {
      reply->Simple("OK");
    }
    if (refused) return {};
    const bool keeps = options.keep_ttl && found != nullptr;
    return Put(std::move(value), keeps ? found->expires_at : options.expires_at.value_or(kNever));
  };
}

}  // namespace

void RespRunGet(const RespCall& call) {
  call.pipeline.Run({RespGet(call.arguments[1]), nullptr}, RenderValue);
}

void RespRunSet(const RespCall& call) {
  const std::string_view key = call.arguments[1];
  const std::string_view value = call.arguments[2];
  const auto options = ParseSetOptions(call);
  if (!options) return;
  if (options->IsPlain()) {
    return call.pipeline.Run({RespPut(key, value, options->expires_at.value_or(kNever)), nullptr},
                             RenderOk);
  }
  call.pipeline.Run({RespGet(key), DecideSet(*options, std::string(value))});
}

void RespRunSetEx(const RespCall& call) {
  const RespExpiryUnit unit{.seconds = call.command.name == "SETEX"};
  const auto when = RespExpiry(call, call.arguments[2], unit, RespExpirySign::kPositive);
  if (!when) return call.Error(when.error());
  call.pipeline.Run({RespPut(call.arguments[1], call.arguments[3], *when), nullptr}, RenderOk);
}

void RespRunSetNx(const RespCall& call) {
  call.pipeline.Run({RespGet(call.arguments[1]),
                     [value = std::string(call.arguments[2])](wire::ShownSibling* found, WallTime,
                                                              RespWriter* reply) mutable {
                       reply->Integer(found == nullptr ? 1 : 0);
                       return found == nullptr ? Put(std::move(value), kNever) : RespChange{};
                     }});
}

void RespRunGetSet(const RespCall& call) {
  call.pipeline.Run({RespGet(call.arguments[1]),
                     DecideSet(SetOptions{.get = true}, std::string(call.arguments[2]))});
}

void RespRunGetDel(const RespCall& call) {
  call.pipeline.Run({RespGet(call.arguments[1]),
                     [](wire::ShownSibling* found, WallTime, RespWriter* reply) -> RespChange {
                       WriteFound(found, reply);
                       if (found == nullptr) return {};
                       return {.kind = RespChange::Kind::kDelete};
                     }});
}

void RespRunGetEx(const RespCall& call) {
  const std::span<const std::string_view> words = call.arguments;
  if (words.size() == 2) return RespRunGet(call);
  WallTime expires_at = kNever;
  if (const auto unit = RespExpiryUnitOf(words[2]); unit && words.size() == 4) {
    const auto when = RespExpiry(call, words[3], *unit, RespExpirySign::kPositive);
    if (!when) return call.Error(when.error());
    expires_at = *when;
  } else if (words.size() != 3 || !RespWordIs(words[2], "PERSIST")) {
    return call.SyntaxError();
  }
  call.pipeline.Run(
      {RespGet(words[1]),
       [expires_at](wire::ShownSibling* found, WallTime now, RespWriter* reply) -> RespChange {
         WriteFound(found, reply);
         if (found == nullptr || found->expires_at == expires_at) return {};
         if (expires_at <= now) return {.kind = RespChange::Kind::kDelete};
         return Put(std::move(found->value), expires_at);
       }});
}

void RespRunMGet(const RespCall& call) {
  const auto keys = call.arguments.subspan(1);
  call.pipeline.Open(RespGather::kValues, keys.size());
  for (const std::string_view key : keys) call.pipeline.Add({RespGet(key), nullptr});
}

void RespRunMSet(const RespCall& call) {
  const auto pairs = call.arguments.subspan(1);
  if (pairs.size() % 2 != 0) return call.WrongArity();
  call.pipeline.Open(RespGather::kAll, pairs.size() / 2);
  for (size_t at = 0; at < pairs.size(); at += 2) {
    call.pipeline.Add({RespPut(pairs[at], pairs[at + 1]), nullptr});
  }
}

void RespRunStrLen(const RespCall& call) {
  call.pipeline.Run({RespGet(call.arguments[1]), nullptr}, RenderLength);
}

void RespRunAppend(const RespCall& call) {
  call.pipeline.Run({RespGet(call.arguments[1]),
                     [tail = std::string(call.arguments[2])](wire::ShownSibling* found, WallTime,
                                                             RespWriter* reply) mutable {
                       const WallTime expires_at = found == nullptr ? kNever : found->expires_at;
                       std::string value =
                           found == nullptr ? std::string() : std::move(found->value);
                       value += tail;
                       reply->Integer(static_cast<int64_t>(value.size()));
                       return Put(std::move(value), expires_at);
                     }});
}

}  // namespace eddy::server
