#include "server/http_kv.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/nearest.h"
#include "base/text.h"
#include "server/http_json.h"
#include "wire/context_token.h"

namespace eddy::server {

namespace {

using Json = nlohmann::ordered_json;
using Refusal = std::unexpected<HttpReply>;

constexpr std::string_view kPrefix = "/kv/";
constexpr std::string_view kForm =
    "the path is /kv/BUCKET/KEY, percent-encoded; in a key '/' may stand for itself";

// What a request may ask for behind the '?'; which of it, its method decides.
struct Parameters {
  std::optional<uint8_t> r, w, pr, pw, n;
  std::optional<bool> sloppy, all;
  std::optional<std::chrono::milliseconds> ttl, timeout;
};

std::vector<std::string> NamesFor(http_method method) {
  switch (method) {
    case HTTP_PUT:
      return {"w", "pw", "n", "sloppy", "timeout", "ttl"};
    case HTTP_DELETE:
      return {"w", "pw", "n", "sloppy", "timeout"};
    default:
      return {"r", "pr", "n", "sloppy", "timeout", "all"};
  }
}

Status ReadCount(std::string_view name, std::string_view text, std::optional<uint8_t>* count) {
  uint8_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{}={}: expected a number of replicas, 0 to 255", name, text));
  }
  *count = number;
  return {};
}

Status ReadFlag(std::string_view name, std::string_view text, std::optional<bool>* flag) {
  if (text != "true" && text != "false") {
    return Fail(Code::kInvalidArgument,
                fmt::format("{}={}: expected true or false", name, Quoted(text)));
  }
  *flag = text == "true";
  return {};
}

Status ReadTime(std::string_view name, std::string_view text,
                std::optional<std::chrono::milliseconds>* time) {
  const auto duration = ParseDuration(text);
  if (!duration) {
    return Fail(Code::kInvalidArgument, fmt::format("{}: {}", name, duration.error().text));
  }
  if (duration->count() == 0) {
    return Fail(Code::kInvalidArgument, fmt::format("{}: no time at all is of no use", name));
  }
  *time = *duration;
  return {};
}

Status ReadParameter(std::string_view name, std::string_view text, Parameters* into) {
  if (name == "r") return ReadCount(name, text, &into->r);
  if (name == "w") return ReadCount(name, text, &into->w);
  if (name == "pr") return ReadCount(name, text, &into->pr);
  if (name == "pw") return ReadCount(name, text, &into->pw);
  if (name == "n") return ReadCount(name, text, &into->n);
  if (name == "sloppy") return ReadFlag(name, text, &into->sloppy);
  if (name == "all") return ReadFlag(name, text, &into->all);
  return ReadTime(name, text, name == "ttl" ? &into->ttl : &into->timeout);
}

Result<Parameters> ReadParameters(std::string_view query, http_method method) {
  const std::vector<std::string> known = NamesFor(method);
  std::vector<std::string> given;
  Parameters parameters;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const size_t equals = std::min(pair.find('='), pair.size());
    const auto name = DecodePercent(pair.substr(0, equals));
    const auto text = DecodePercent(pair.substr(std::min(equals + 1, pair.size())));
    if (!name || !text) {
      return Fail(Code::kInvalidArgument, "behind the '?' stands a '%' without two hex digits");
    }
    if (std::ranges::find(known, *name) == known.end()) {
      const auto nearest = Nearest(std::string_view(*name).substr(0, 60), known);
      return Fail(
          Code::kInvalidArgument,
          fmt::format("{} does not take the parameter {}{}: it takes {}", http_method_str(method),
                      Quoted(*name), nearest ? fmt::format(" (did you mean {}?)", *nearest) : "",
                      fmt::join(known, ", ")));
    }
    if (std::ranges::find(given, *name) != given.end()) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("the parameter {} is given twice", Quoted(*name)));
    }
    if (Status ok = ReadParameter(*name, *text, &parameters); !ok) {
      return std::unexpected(ok.error());
    }
    given.push_back(*name);
  }
  return parameters;
}

// Headers that change what a request means, in a way that is not done here: to leave them aside
// would do something else than was asked for.
std::optional<HttpReply> RefuseHeaders(const HttpRequest& request) {
  for (const char* name : {"if-match", "if-none-match", "if-modified-since", "if-unmodified-since",
                           "if-range", "range", "content-range"}) {
    if (request.Header(name) == nullptr) continue;
    return RefuseInJson(
        501,
        fmt::format("{} is not supported: write with the {} of what you have read, and "
                    "who wrote meanwhile is kept beside it",
                    name, kContextHeader),
        Code::kUnsupported);
  }
  const std::string* coding = request.Header("content-encoding");
  if (request.method == HTTP_PUT && coding != nullptr && *coding != "identity") {
    return RefuseInJson(415,
                        "a value is stored as it comes, and no Content-Encoding is kept with it",
                        Code::kUnsupported);
  }
  return std::nullopt;
}

Result<std::string> ReadContext(const HttpRequest& request) {
  const auto is_context = [](const auto& header) { return header.first == "x-eddy-context"; };
  const auto count = std::ranges::count_if(request.headers, is_context);
  if (count == 0) return std::string();
  if (count > 1) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{} is given {} times: one read, one context", kContextHeader, count));
  }
  return wire::ContextTokenFromText(*request.Header("x-eddy-context"));
}

Json SiblingObject(const wire::ShownSibling& sibling) {
  Json object = {
      {"dot", fmt::format("{}:{}", sibling.dot.actor.ToHex(), sibling.dot.counter)},
      {"written_ms", sibling.timestamp.wall().time_since_epoch().count()},
      {"bytes", sibling.value.size()},
  };
  if (sibling.expires_at != lattice::Sibling::kNever) {
    object["expires_at_ms"] = sibling.expires_at.time_since_epoch().count();
  }
  // Each control character would become six.
  const bool is_text =
      IsUtf8(sibling.value) && std::ranges::none_of(sibling.value, [](char c) {
        return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t';
      });
  if (is_text) {
    object["value"] = sibling.value;
  } else {
    object["value_base64"] = EncodeBase64(sibling.value, Base64::kStandard);
  }
  return object;
}

void SetSiblings(const wire::ClientReply& reply, Json* object) {
  (*object)["context"] = wire::ContextTokenToText(reply.context);
  (*object)["needed"] = reply.needed;
  (*object)["answered"] = reply.answered;
  Json siblings = Json::array();
  for (const wire::ShownSibling& sibling : reply.siblings) {
    siblings.push_back(SiblingObject(sibling));
  }
  (*object)["siblings"] = std::move(siblings);
}

HttpReply ErrorReply(const wire::ClientReply& reply) {
  Json object = ErrorObject(CodeName(reply.error->code), reply.error->text);
  if (reply.needed > 0) {
    object["needed"] = reply.needed;
    object["answered"] = reply.answered;
  }
  HttpReply answer = JsonReply(HttpStatusOf(reply.error->code), object);
  if (answer.status == 503) answer.headers.emplace_back("Retry-After", "1");
  return answer;
}

HttpReply ReadReply(const wire::ClientReply& reply, bool all) {
  if (reply.siblings.empty()) {
    Json object = ErrorObject("not-found", "nothing is stored under this key");
    SetSiblings(reply, &object);
    return JsonReply(404, object);
  }
  if (all) {
    Json object;
    SetSiblings(reply, &object);
    return JsonReply(200, object);
  }
  if (reply.siblings.size() > 1) {
    Json object = ErrorObject(
        "siblings", fmt::format("there are {} values, written concurrently: put one in their place "
                                "with this {}",
                                reply.siblings.size(), kContextHeader));
    SetSiblings(reply, &object);
    return JsonReply(409, object);
  }
  const wire::ShownSibling& only = reply.siblings.front();
  HttpReply answer{.type = "application/octet-stream",
                   .body = only.value,
                   .headers = {{"Cache-Control", "no-store"},
                               // Whoever can write a value cannot make a page of this door.
                               {"X-Content-Type-Options", "nosniff"}}};
  if (only.expires_at != lattice::Sibling::kNever) {
    answer.headers.emplace_back("X-Eddy-Expires-At-Ms",
                                fmt::format("{}", only.expires_at.time_since_epoch().count()));
  }
  return answer;
}

}  // namespace

bool IsKvPath(std::string_view path) { return path == "/kv" || path.starts_with(kPrefix); }

std::expected<KvCall, HttpReply> ReadKvCall(HttpRequest request, WallTime now) {
  const bool is_read = request.method == HTTP_GET || request.method == HTTP_HEAD;
  if (!is_read && request.method != HTTP_PUT && request.method != HTTP_DELETE) {
    HttpReply reply = RefuseInJson(405, "a key takes GET, HEAD, PUT and DELETE");
    reply.headers.emplace_back("Allow", "GET, HEAD, PUT, DELETE");
    return Refusal(std::move(reply));
  }
  const std::string_view path = request.path();
  const std::string_view names = path.substr(std::min(path.size(), kPrefix.size()));
  const size_t slash = names.find('/');
  if (slash == std::string_view::npos) return Refusal(RefuseInJson(400, kForm));
  auto bucket = DecodePercent(names.substr(0, slash));
  auto key = DecodePercent(names.substr(slash + 1));
  if (!bucket || !key) {
    return Refusal(RefuseInJson(400, fmt::format("a '%' without two hex digits: {}", kForm)));
  }
  if (auto refusal = RefuseHeaders(request)) return Refusal(*std::move(refusal));
  const auto parameters = ReadParameters(request.query(), request.method);
  if (!parameters) return Refusal(RefuseInJson(400, parameters.error().text));
  auto context = ReadContext(request);
  if (!context) return Refusal(RefuseInJson(400, context.error().text));
  if (is_read && !context->empty()) {
    return Refusal(RefuseInJson(
        400, fmt::format("{} is for PUT and DELETE: a GET gives one", kContextHeader)));
  }

  KvCall call{.request = {.bucket = *std::move(bucket),
                          .key = *std::move(key),
                          .quorum = {.n = parameters->n,
                                     .r = parameters->r,
                                     .w = parameters->w,
                                     .pr = parameters->pr,
                                     .pw = parameters->pw,
                                     .sloppy = parameters->sloppy},
                          .deadline = parameters->timeout.value_or(std::chrono::milliseconds(0))},
              .all = parameters->all.value_or(false)};
  if (is_read) {
    call.request.action = wire::GetAction{.all_siblings = call.all};
  } else if (request.method == HTTP_DELETE) {
    call.request.action = wire::DeleteAction{.context = *std::move(context)};
  } else {
    wire::PutAction put{.value = std::move(request.body), .context = *std::move(context)};
    if (parameters->ttl) put.expires_at = now + *parameters->ttl;
    call.request.action = std::move(put);
  }
  if (const Status ok = wire::CheckRequest(call.request); !ok) {
    return Refusal(RefuseInJson(HttpStatusOf(ok.error().code), ok.error().text, ok.error().code));
  }
  return call;
}

HttpReply KvReply(const wire::ClientReply& reply, bool is_write, bool all) {
  HttpReply answer;
  if (reply.error) {
    answer = ErrorReply(reply);
  } else if (is_write) {
    answer.status = 204;
  } else {
    answer = ReadReply(reply, all);
  }
  if (!reply.context.empty()) {
    answer.headers.emplace_back(kContextHeader, wire::ContextTokenToText(reply.context));
  }
  return answer;
}

}  // namespace eddy::server
