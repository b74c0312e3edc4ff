// EDDY.GET, EDDY.PUT and EDDY.DEL: any bucket, every sibling, and the contexts with which a client
// says what it has seen (Dynamo, section 4.4). Contexts travel as text, so they can be typed.
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/limits.h"
#include "server/resp_call.h"
#include "server/resp_expiry.h"
#include "server/resp_handlers.h"
#include "wire/context_token.h"

namespace eddy::server {

namespace {

constexpr WallTime kNever = lattice::Sibling::kNever;

struct EddyOptions {
  wire::QuorumOptions quorum;
  Duration deadline{};
  std::string context;
  WallTime expires_at = kNever;
  bool metadata = false;
};

// Which options a command takes besides TIMEOUT and the quorum's.
struct EddyOptionsTaken {
  bool context = false;
  bool expiry = false;
  bool metadata = false;
};

std::optional<uint8_t>* QuorumFigure(wire::QuorumOptions* quorum, std::string_view word) {
  if (RespWordIs(word, "N")) return &quorum->n;
  if (RespWordIs(word, "R")) return &quorum->r;
  if (RespWordIs(word, "W")) return &quorum->w;
  if (RespWordIs(word, "PR")) return &quorum->pr;
  if (RespWordIs(word, "PW")) return &quorum->pw;
  return nullptr;
}

// Reads the option `word` with its `argument` into `options`; the text of the error if it is wrong.
std::optional<std::string> ReadOption(const RespCall& call, EddyOptionsTaken taken,
                                      std::string_view word, std::string_view argument,
                                      EddyOptions* options) {
  if (std::optional<uint8_t>* figure = QuorumFigure(&options->quorum, word)) {
    const auto number = RespInteger(argument);
    if (!number || *number < 0 || *number > UINT8_MAX) {
      return fmt::format("ERR {} must be a number of replicas, 0 to 255", word);
    }
    *figure = static_cast<uint8_t>(*number);
    return std::nullopt;
  }
  if (RespWordIs(word, "TIMEOUT")) {
    constexpr int64_t kTimeoutMsMax = 24 * 3600 * 1000;
    const auto number = RespInteger(argument);
    if (!number || *number <= 0 || *number > kTimeoutMsMax) {
      return fmt::format("ERR TIMEOUT must be milliseconds, 1 to {}", kTimeoutMsMax);
    }
    options->deadline = std::chrono::milliseconds(*number);
    return std::nullopt;
  }
  if (taken.context && RespWordIs(word, "CONTEXT")) {
    auto token = wire::ContextTokenFromText(argument);
    if (!token) return "ERR " + token.error().text;
    options->context = std::move(*token);
    return std::nullopt;
  }
  if (const auto unit = RespExpiryUnitOf(word); taken.expiry && unit) {
    const auto when = RespExpiry(call, argument, *unit, RespExpirySign::kPositive);
    if (!when) return when.error();
    options->expires_at = *when;
    return std::nullopt;
  }
  return fmt::format("ERR syntax error: unknown option '{}'", word.substr(0, 128));
}

// The request without its action, from the words of which the options begin at `at`. Answers the
// error, and returns nothing, when something is wrong.
std::optional<wire::ClientRequest> ParseRequest(const RespCall& call, size_t at,
                                                EddyOptionsTaken taken, EddyOptions* options) {
  const auto fail = [&](std::string_view error) {
    call.Error(error);
    return std::nullopt;
  };
  const auto words = call.arguments;
  if (auto ok = CheckKey(words[1], words[2]); !ok) return fail("ERR " + ok.error().text);
  while (at < words.size()) {
    if (taken.metadata && RespWordIs(words[at], "METADATA")) {
      options->metadata = true;
      ++at;
      continue;
    }
    if (at + 1 == words.size()) {
      return fail(fmt::format("ERR syntax error: option '{}' is unknown, or lacks its argument",
                              words[at].substr(0, 128)));
    }
    if (const auto error = ReadOption(call, taken, words[at], words[at + 1], options)) {
      return fail(*error);
    }
    at += 2;
  }
  wire::ClientRequest request;
  request.bucket = words[1];
  request.key = words[2];
  request.quorum = options->quorum;
  request.deadline = options->deadline;
  return request;
}

void RenderOk(const wire::ClientReply&, WallTime, RespWriter* writer) { writer->Simple("OK"); }

void RenderContext(const wire::ClientReply& reply, WallTime, RespWriter* writer) {
  writer->Bulk(wire::ContextTokenToText(reply.context));
}

void RenderSiblings(const wire::ClientReply& reply, WallTime, RespWriter* writer) {
  writer->Array(2);
  writer->Bulk(wire::ContextTokenToText(reply.context));
  writer->Array(reply.siblings.size());
  for (const wire::ShownSibling& sibling : reply.siblings) writer->Bulk(sibling.value);
}

void RenderSiblingsWithMetadata(const wire::ClientReply& reply, WallTime, RespWriter* writer) {
  writer->Array(2);
  writer->Bulk(wire::ContextTokenToText(reply.context));
  writer->Array(reply.siblings.size());
  for (const wire::ShownSibling& sibling : reply.siblings) {
    writer->Map(4);
    writer->Bulk("value");
    writer->Bulk(sibling.value);
    writer->Bulk("dot");
    writer->Bulk(fmt::format("{}:{}", sibling.dot.actor.ToHex(), sibling.dot.counter));
    writer->Bulk("written_ms");
    writer->Integer(sibling.timestamp.wall().time_since_epoch().count());
    writer->Bulk("expires_ms");
    if (sibling.expires_at == kNever) {
      writer->Null();
    } else {
      writer->Integer(sibling.expires_at.time_since_epoch().count());
    }
  }
}

}  // namespace

void RespRunEddyGet(const RespCall& call) {
  EddyOptions options;
  auto request = ParseRequest(call, 3, {.metadata = true}, &options);
  if (!request) return;
  request->action = wire::GetAction{.all_siblings = true};
  call.pipeline.Run({std::move(*request), nullptr},
                    options.metadata ? RenderSiblingsWithMetadata : RenderSiblings);
}

void RespRunEddyPut(const RespCall& call) {
  EddyOptions options;
  auto request = ParseRequest(call, 4, {.context = true, .expiry = true}, &options);
  if (!request) return;
  request->action = wire::PutAction{.value = std::string(call.arguments[3]),
                                    .context = std::move(options.context),
                                    .expires_at = options.expires_at};
  call.pipeline.Run({std::move(*request), nullptr}, RenderContext);
}

void RespRunEddyDel(const RespCall& call) {
  EddyOptions options;
  auto request = ParseRequest(call, 3, {.context = true}, &options);
  if (!request) return;
  request->action = wire::DeleteAction{.context = std::move(options.context)};
  call.pipeline.Run({std::move(*request), nullptr}, RenderOk);
}

}  // namespace eddy::server
