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

// What may follow the value of SET and the key of GETEX.
struct StringOptions {
  bool if_absent = false;
  bool if_present = false;
  bool get = false;
  bool keep_ttl = false;
  bool persist = false;
  std::optional<RespExpiryUnit> unit;
  std::string_view number;  // of that unit
  std::optional<WallTime> expires_at;

  bool ReadsFirst() const { return if_absent || if_present || get || keep_ttl; }
  // NX with XX, or several kinds of expiry; a word that comes again does not.
  bool Contradict() const {
    return (if_absent && if_present) || keep_ttl + persist + unit.has_value() > 1;
  }
};

enum class StringCommand { kSet, kGetEx };

// Reads the options from `words`; false where one is unknown or lacks its number.
bool ReadStringOptions(std::span<const std::string_view> words, StringCommand command,
                       StringOptions* options) {
  const bool is_set = command == StringCommand::kSet;
  for (size_t at = 0; at < words.size(); ++at) {
    if (is_set && RespWordIs(words[at], "NX")) {
      options->if_absent = true;
    } else if (is_set && RespWordIs(words[at], "XX")) {
      options->if_present = true;
    } else if (is_set && RespWordIs(words[at], "GET")) {
      options->get = true;
    } else if (is_set && RespWordIs(words[at], "KEEPTTL")) {
      options->keep_ttl = true;
    } else if (!is_set && RespWordIs(words[at], "PERSIST")) {
      options->persist = true;
    } else if (const auto unit = RespExpiryUnitOf(words[at])) {
      if (options->unit.value_or(*unit) != *unit || ++at == words.size()) return false;
      options->unit = unit;
      options->number = words[at];
    } else {
      return false;
    }
  }
  return !options->Contradict();
}

// Answers the error, and returns nothing, for options that the command does not take.
std::optional<StringOptions> ParseStringOptions(const RespCall& call, size_t first,
                                                StringCommand command) {
  StringOptions options;
  if (!ReadStringOptions(call.arguments.subspan(first), command, &options)) {
    call.SyntaxError();
    return std::nullopt;
  }
  if (options.unit) {
    const auto when = RespExpiry(call, options.number, *options.unit, RespExpirySign::kPositive);
    if (!when) {
      call.Error(when.error());
      return std::nullopt;
    }
    options.expires_at = *when;
  }
  return options;
}

RespDecide DecideSet(StringOptions options, std::string value) {
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
  const auto options = ParseStringOptions(call, 3, StringCommand::kSet);
  if (!options) return;
  if (!options->ReadsFirst()) {
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
                     DecideSet(StringOptions{.get = true}, std::string(call.arguments[2]))});
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
  const auto options = ParseStringOptions(call, 2, StringCommand::kGetEx);
  if (!options) return;
  if (!options->persist && !options->expires_at) return RespRunGet(call);
  call.pipeline.Run({RespGet(call.arguments[1]),
                     [expires_at = options->expires_at.value_or(kNever)](
                         wire::ShownSibling* found, WallTime now, RespWriter* reply) -> RespChange {
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
