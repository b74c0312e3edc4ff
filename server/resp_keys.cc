// The commands on keys of any type. Deleting and changing the expiry look first, and write with the
// context of what they saw.
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "server/resp_call.h"
#include "server/resp_expiry.h"
#include "server/resp_handlers.h"

namespace eddy::server {

namespace {

constexpr WallTime kNever = lattice::Sibling::kNever;
// What TTL and its kin answer for a key without expiry, and for none.
constexpr int64_t kLivesForEver = -1;
constexpr int64_t kAbsent = -2;

void RenderType(const wire::ClientReply& reply, WallTime now, RespWriter* writer) {
  writer->Simple(ShownValue(reply, now) == nullptr ? "none" : "string");
}

// The expiry in milliseconds since `origin`, or one of the two answers above.
int64_t ExpiryOf(const wire::ClientReply& reply, WallTime now, WallTime origin) {
  const wire::ShownSibling* shown = ShownValue(reply, now);
  if (shown == nullptr) return kAbsent;
  return shown->expires_at == kNever ? kLivesForEver : (shown->expires_at - origin).count();
}

int64_t RoundToSeconds(int64_t ms) { return ms < 0 ? ms : ms / 1000 + (ms % 1000 >= 500 ? 1 : 0); }

void RenderTtl(const wire::ClientReply& reply, WallTime now, RespWriter* writer) {
  writer->Integer(RoundToSeconds(ExpiryOf(reply, now, now)));
}

void RenderPTtl(const wire::ClientReply& reply, WallTime now, RespWriter* writer) {
  writer->Integer(ExpiryOf(reply, now, now));
}

void RenderExpireTime(const wire::ClientReply& reply, WallTime now, RespWriter* writer) {
  writer->Integer(RoundToSeconds(ExpiryOf(reply, now, WallTime())));
}

void RenderPExpireTime(const wire::ClientReply& reply, WallTime now, RespWriter* writer) {
  writer->Integer(ExpiryOf(reply, now, WallTime()));
}

void Read(const RespCall& call, RespRender render) {
  call.pipeline.Run({RespGet(call.arguments[1]), nullptr}, render);
}

// When an expiry may be changed, given the one that is there; a key that lives for ever counts as
// expiring last.
struct ExpireConditions {
  bool if_none = false;
  bool if_some = false;
  bool if_later = false;
  bool if_earlier = false;

  bool Allow(WallTime present, WallTime wanted) const {
    if (if_none && present != kNever) return false;
    if (if_some && present == kNever) return false;
    if (if_later && wanted <= present) return false;
    if (if_earlier && wanted >= present) return false;
    return true;
  }
};

// Answers the error, and returns nothing, for conditions that are unknown or contradict.
std::optional<ExpireConditions> ParseExpireConditions(const RespCall& call) {
  ExpireConditions conditions;
  const auto fail = [&](std::string_view error) {
    call.Error(error);
    return std::nullopt;
  };
  for (const std::string_view word : call.arguments.subspan(3)) {
    if (RespWordIs(word, "NX")) {
      conditions.if_none = true;
    } else if (RespWordIs(word, "XX")) {
      conditions.if_some = true;
    } else if (RespWordIs(word, "GT")) {
      conditions.if_later = true;
    } else if (RespWordIs(word, "LT")) {
      conditions.if_earlier = true;
    } else {
      return fail(fmt::format("ERR Unsupported option {}", word.substr(0, 128)));
    }
  }
  if (conditions.if_none && (conditions.if_some || conditions.if_later || conditions.if_earlier)) {
    return fail("ERR NX and XX, GT or LT options at the same time are not compatible");
  }
  if (conditions.if_later && conditions.if_earlier) {
    return fail("ERR GT and LT options at the same time are not compatible");
  }
  return conditions;
}

void RunExpire(const RespCall& call, RespExpiryUnit unit) {
  const auto conditions = ParseExpireConditions(call);
  if (!conditions) return;
  const auto when = RespExpiry(call, call.arguments[2], unit, RespExpirySign::kAny);
  if (!when) return call.Error(when.error());
  call.pipeline.Run({RespGet(call.arguments[1]),
                     [wanted = *when, conditions = *conditions](
                         wire::ShownSibling* found, WallTime now, RespWriter* reply) -> RespChange {
                       const bool changes =
                           found != nullptr && conditions.Allow(found->expires_at, wanted);
                       reply->Integer(changes ? 1 : 0);
                       if (!changes) return {};
                       if (wanted <= now) return {.kind = RespChange::Kind::kDelete};
                       return {RespChange::Kind::kPut, std::move(found->value), wanted};
                     }});
}

}  // namespace

void RespRunDel(const RespCall& call) {
  const auto keys = call.arguments.subspan(1);
  call.pipeline.Open(RespGather::kCount, keys.size());
  for (const std::string_view key : keys) {
    call.pipeline.Add(
        {RespGet(key), [](wire::ShownSibling* found, WallTime, RespWriter*) -> RespChange {
           if (found == nullptr) return {};
           return {.kind = RespChange::Kind::kDelete};
         }});
  }
}

void RespRunExists(const RespCall& call) {
  const auto keys = call.arguments.subspan(1);
  call.pipeline.Open(RespGather::kCount, keys.size());
  for (const std::string_view key : keys) call.pipeline.Add({RespGet(key), nullptr});
}

void RespRunType(const RespCall& call) { Read(call, RenderType); }
void RespRunTtl(const RespCall& call) { Read(call, RenderTtl); }
void RespRunPTtl(const RespCall& call) { Read(call, RenderPTtl); }
void RespRunExpireTime(const RespCall& call) { Read(call, RenderExpireTime); }
void RespRunPExpireTime(const RespCall& call) { Read(call, RenderPExpireTime); }

void RespRunExpire(const RespCall& call) { RunExpire(call, {.seconds = true, .absolute = false}); }
void RespRunPExpire(const RespCall& call) {
  RunExpire(call, {.seconds = false, .absolute = false});
}
void RespRunExpireAt(const RespCall& call) { RunExpire(call, {.seconds = true, .absolute = true}); }
void RespRunPExpireAt(const RespCall& call) {
  RunExpire(call, {.seconds = false, .absolute = true});
}

void RespRunPersist(const RespCall& call) {
  call.pipeline.Run({RespGet(call.arguments[1]),
                     [](wire::ShownSibling* found, WallTime, RespWriter* reply) -> RespChange {
                       const bool changes = found != nullptr && found->expires_at != kNever;
                       reply->Integer(changes ? 1 : 0);
                       if (!changes) return {};
                       return {RespChange::Kind::kPut, std::move(found->value), kNever};
                     }});
}

}  // namespace eddy::server
