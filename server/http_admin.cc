#include "server/http_admin.h"

#include <algorithm>
#include <array>
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
#include "server/admin.h"
#include "server/http_json.h"

namespace eddy::server {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kPrefix = "/admin/v1/";
// The keys that a node holds: no admin call elsewhere, since the native protocol has frames for it.
constexpr std::string_view kKeysPage = "keys.page";

// By what a call's name ends in: calls that change nothing.
constexpr std::array<std::string_view, 6> kLooking = {"show", "status", "page",
                                                      "ring", "plan",   "transfers"};
// Arguments that are numbers; all others are texts.
constexpr std::array<std::string_view, 3> kNumbers = {"partition", "replicas", "least"};
// Arguments that may be given as they are, percent-encoded, and are passed on in Base64.
constexpr std::array<std::string_view, 2> kBytes = {"bucket", "key"};

bool OnlyLooks(std::string_view call) {
  return std::ranges::find(kLooking, call.substr(call.rfind('.') + 1)) != kLooking.end();
}

std::vector<std::string> KnownCalls() {
  std::vector<std::string> calls = {"status", std::string(kKeysPage)};
  for (const std::string_view call : AdminCalls()) calls.emplace_back(call);
  std::ranges::sort(calls);
  return calls;
}

HttpReply ListOfCalls() {
  Json calls = Json::array();
  for (const std::string& call : KnownCalls()) {
    calls.push_back({{"call", call}, {"method", OnlyLooks(call) ? "GET" : "POST"}});
  }
  return JsonReply(200, {{"calls", std::move(calls)}});
}

HttpReply UnknownCall(std::string_view call) {
  const std::vector<std::string> known = KnownCalls();
  const auto nearest = Nearest(call.substr(0, 60), known);
  return RefuseInJson(
      404, fmt::format("there is no admin call {}{}: there are {}", Quoted(call.substr(0, 60)),
                       nearest ? fmt::format(" (did you mean {}?)", *nearest) : "",
                       fmt::join(known, ", ")));
}

// The arguments behind the '?'.
Result<Json> ReadQuery(std::string_view query) {
  Json arguments = Json::object();
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const size_t equals = std::min(pair.find('='), pair.size());
    auto name = DecodePercent(pair.substr(0, equals));
    auto text = DecodePercent(pair.substr(std::min(equals + 1, pair.size())));
    if (!name || !text) {
      return Fail(Code::kInvalidArgument, "behind the '?' stands a '%' without two hex digits");
    }
    Json value = *text;
    if (std::ranges::find(kBytes, *name) != kBytes.end()) {
      *name += "_base64";
      value = EncodeBase64(*text, Base64::kStandard);
    } else if (std::ranges::find(kNumbers, *name) != kNumbers.end()) {
      uint64_t number = 0;
      const char* const last = text->data() + text->size();
      const auto [end, error] = std::from_chars(text->data(), last, number);
      if (error != std::errc() || end != last) {
        return Fail(Code::kInvalidArgument,
                    fmt::format("{}={}: expected a number", *name, Quoted(*text)));
      }
      value = number;
    }
    if (arguments.contains(*name)) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("the parameter {} is given twice", Quoted(*name)));
    }
    arguments[*name] = std::move(value);
  }
  return arguments;
}

// The arguments in the body; the reply where it is not good.
std::expected<Json, HttpReply> ReadBody(const HttpRequest& request) {
  if (!request.query().empty()) {
    return std::unexpected(RefuseInJson(
        400, "the arguments of a POST are its body, a JSON object, and not behind '?'"));
  }
  const std::string* type = request.Header("content-type");
  if (type == nullptr || (*type != "application/json" && !type->starts_with("application/json;"))) {
    return std::unexpected(RefuseInJson(
        415, "a POST here must say Content-Type: application/json, also without a body"));
  }
  if (request.body.empty()) return Json::object();
  Json arguments = Json::parse(request.body, nullptr, false);
  if (!arguments.is_object()) {
    return std::unexpected(RefuseInJson(400, "the body must be a JSON object: the arguments"));
  }
  return arguments;
}

// Bytes in Base64 under this name are taken out of the arguments; none: empty.
Result<std::string> TakeBytes(Json* arguments, const char* name) {
  const auto found = arguments->find(name);
  if (found == arguments->end()) return std::string();
  auto bytes = found->is_string() ? DecodeBase64(found->get<std::string>(), Base64::kStandard)
                                  : std::nullopt;
  if (!bytes) return Fail(Code::kInvalidArgument, fmt::format("{} must be bytes in Base64", name));
  arguments->erase(found);
  return *std::move(bytes);
}

HttpAdminCall ReadKeysPage(Json arguments) {
  auto bucket = TakeBytes(&arguments, "bucket_base64");
  if (!bucket) return RefuseInJson(400, bucket.error().text);
  auto cursor = TakeBytes(&arguments, "cursor");
  if (!cursor) return RefuseInJson(400, cursor.error().text);
  if (!arguments.empty()) {
    return RefuseInJson(400, fmt::format("unknown argument {}: known are bucket_base64, cursor",
                                         Quoted(arguments.begin().key())));
  }
  if (cursor->size() > wire::kKeyListCursorBytesMax) {
    return RefuseInJson(400, "this is no cursor of an earlier page");
  }
  return wire::KeyListRequest{.bucket = *std::move(bucket), .cursor = *std::move(cursor)};
}

HttpReply ErrorInJson(const Error& error) {
  // Of an order, the state that it contradicts is the cluster's.
  const int status = error.code == Code::kConflict ? 409 : HttpStatusOf(error.code);
  HttpReply reply = RefuseInJson(status, error.text, error.code);
  if (status == 503) reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

}  // namespace

bool IsAdminPath(std::string_view path) {
  return path.starts_with(kPrefix) || path == kPrefix.substr(0, kPrefix.size() - 1);
}

HttpAdminCall ReadAdminCall(const HttpRequest& request) {
  const std::string_view path = request.path();
  const std::string call(path.substr(std::min(path.size(), kPrefix.size())));
  const std::vector<std::string> known = KnownCalls();
  if (!call.empty() && std::ranges::find(known, call) == known.end()) return UnknownCall(call);
  const bool looks = call.empty() || OnlyLooks(call);
  const bool is_read = request.method == HTTP_GET || request.method == HTTP_HEAD;
  if (request.method != HTTP_POST && !(is_read && looks)) {
    HttpReply reply = RefuseInJson(
        405, looks ? "this takes GET, HEAD and POST"
                   : "this may change something, so it takes POST, with a JSON object as its body");
    reply.headers.emplace_back("Allow", looks ? "GET, HEAD, POST" : "POST");
    return reply;
  }
  Json arguments;
  if (is_read) {
    auto query = ReadQuery(request.query());
    if (!query) return RefuseInJson(400, query.error().text);
    arguments = *std::move(query);
  } else {
    auto body = ReadBody(request);
    if (!body) return std::move(body.error());
    arguments = *std::move(body);
  }
  if (call.empty()) return ListOfCalls();
  if (call == kKeysPage) return ReadKeysPage(std::move(arguments));
  // Percent-encoded bytes need not be UTF-8; what no call can take may be said in other words.
  return wire::AdminRequest{
      .call = call, .arguments = arguments.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

HttpReply AdminHttpReply(const wire::AdminReply& reply) {
  if (reply.error) return ErrorInJson(*reply.error);
  return {
      .type = kJsonType, .body = reply.result + "\n", .headers = {{"Cache-Control", "no-store"}}};
}

HttpReply KeyListHttpReply(const wire::KeyListReply& reply) {
  if (reply.error) return ErrorInJson(*reply.error);
  Json keys = Json::array();
  for (const wire::ListedKey& key : reply.keys) {
    keys.push_back({{"bucket_base64", EncodeBase64(key.bucket, Base64::kStandard)},
                    {"key_base64", EncodeBase64(key.key, Base64::kStandard)}});
  }
  Json page = {{"keys", std::move(keys)}};
  if (!reply.cursor.empty()) page["cursor"] = EncodeBase64(reply.cursor, Base64::kStandard);
  return JsonReply(200, page);
}

}  // namespace eddy::server
