// HTTP messages as values, and a reader that makes requests of bytes (http_parser does the
// grammar). A request is read whole before anything is done with it, and its bytes stay with the
// caller until then, so the caller's limits on unfinished input hold. Loop thread only.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <http_parser.h>

namespace eddy::server {

// Of a request's line and headers together: room for the largest causal context that there is.
inline constexpr size_t kHttpHeadBytesMax = 256 * 1024;
inline constexpr size_t kHttpHeadersMax = 100;
// Of the body of a request that is neither a value nor the arguments of a call.
inline constexpr size_t kHttpIdleBodyBytesMax = 16 * 1024;

struct HttpRequest {
  http_method method = HTTP_GET;
  std::string target;                                        // as it was sent
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  bool keep_alive = false;

  // What stands before the '?', and behind it.
  std::string_view path() const;
  std::string_view query() const;
  // The first of that name (in lower case); null where there is none.
  const std::string* Header(std::string_view name) const;
};

struct HttpReply {
  int status = 200;
  std::string_view type;  // of the body; empty: there is none
  std::string body;
  std::vector<std::pair<std::string_view, std::string>> headers;
};

std::string FormatHttp(const HttpReply& reply, bool keep_alive, bool head_only);

// Percent-decodes; nothing where a '%' is not followed by two hex digits. '+' is itself.
std::optional<std::string> DecodePercent(std::string_view text);

class HttpReader {
 public:
  // `value_bytes_max`: of the body of a PUT; `arguments_bytes_max`: of a POST.
  HttpReader(size_t value_bytes_max, size_t arguments_bytes_max);
  HttpReader(const HttpReader&) = delete;
  HttpReader& operator=(const HttpReader&) = delete;

  enum class State {
    kMore,    // the message is not whole
    kWhole,   // `size` bytes of the input are a request
    kBroken,  // this is no request, or over a limit: reply `refusal` and close
  };
  struct Step {
    State state = State::kMore;
    size_t size = 0;
    HttpReply refusal{};
  };
  // `input` begins where a message does; what has been seen of it in an earlier call is not read
  // again.
  Step Read(std::string_view input);
  // After kWhole, once.
  HttpRequest Take() { return std::exchange(request_, {}); }
  // Whether the client waits for a word (100 Continue) before it sends the body; true once.
  bool TakeExpectation() { return std::exchange(expects_, false); }

 private:
  static HttpReader* Self(http_parser* parser) { return static_cast<HttpReader*>(parser->data); }
  int OnHeaderName(const char* at, size_t size);
  int EndHeader();
  int OnHeadersComplete();
  int OnBody(const char* at, size_t size);
  size_t BodyBytesMax(std::string_view* what) const;
  int Refuse(int status, std::string text);

  const size_t value_bytes_max_;
  const size_t arguments_bytes_max_;
  http_parser parser_;
  http_parser_settings settings_;
  HttpRequest request_;
  std::string name_;
  std::string value_;
  bool in_value_ = false;
  bool in_trailer_ = false;  // of a chunked body: its fields are not looked at
  bool whole_ = false;
  bool expects_ = false;
  size_t seen_ = 0;  // of the message that has begun
  std::optional<HttpReply> refusal_;
};

}  // namespace eddy::server
