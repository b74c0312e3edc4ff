#include "server/http_message.h"

#include <algorithm>

#include <fmt/core.h>

namespace eddy::server {

namespace {

std::string_view ReasonOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 504:
      return "Gateway Timeout";
    default:
      return "Service Unavailable";
  }
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view HttpRequest::path() const {
  return std::string_view(target).substr(0, target.find('?'));
}

std::string_view HttpRequest::query() const {
  const size_t at = target.find('?');
  return at == std::string::npos ? std::string_view() : std::string_view(target).substr(at + 1);
}

const std::string* HttpRequest::Header(std::string_view name) const {
  const auto found = std::ranges::find(headers, name, &std::pair<std::string, std::string>::first);
  return found == headers.end() ? nullptr : &found->second;
}

std::string FormatHttp(const HttpReply& reply, bool keep_alive, bool head_only) {
  std::string text = fmt::format("HTTP/1.1 {} {}\r\n", reply.status, ReasonOf(reply.status));
  if (!reply.type.empty()) {
    text +=
        fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", reply.type, reply.body.size());
  }
  for (const auto& [name, value] : reply.headers) text += fmt::format("{}: {}\r\n", name, value);
  text += fmt::format("Connection: {}\r\n\r\n", keep_alive ? "keep-alive" : "close");
  if (!head_only) text += reply.body;
  return text;
}

std::optional<std::string> DecodePercent(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      bytes += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = HexDigit(text[i + 1]);
    const int low = HexDigit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return bytes;
}

HttpReader::HttpReader(size_t value_bytes_max, size_t arguments_bytes_max)
    : value_bytes_max_(value_bytes_max), arguments_bytes_max_(arguments_bytes_max) {
  // The parser has one limit for the whole process, and would refuse before this reader can say
  // why.
  http_parser_set_max_header_size(kHttpHeadBytesMax);
  http_parser_init(&parser_, HTTP_REQUEST);
  parser_.data = this;
  http_parser_settings_init(&settings_);
  settings_.on_url = [](http_parser* parser, const char* at, size_t size) {
    Self(parser)->request_.target.append(at, size);
    return 0;
  };
  settings_.on_header_field = [](http_parser* parser, const char* at, size_t size) {
    return Self(parser)->OnHeaderName(at, size);
  };
  settings_.on_header_value = [](http_parser* parser, const char* at, size_t size) {
    Self(parser)->in_value_ = true;
    Self(parser)->value_.append(at, size);
    return 0;
  };
  settings_.on_headers_complete = [](http_parser* parser) {
    return Self(parser)->OnHeadersComplete();
  };
  settings_.on_body = [](http_parser* parser, const char* at, size_t size) {
    return Self(parser)->OnBody(at, size);
  };
  settings_.on_message_complete = [](http_parser* parser) {
    HttpReader* self = Self(parser);
    self->name_.clear();
    self->value_.clear();
    self->in_value_ = self->in_trailer_ = false;
    self->whole_ = true;
    self->request_.keep_alive = http_should_keep_alive(parser) != 0;
    // What follows is the next request's.
    http_parser_pause(parser, 1);
    return 0;
  };
}

HttpReader::Step HttpReader::Read(std::string_view input) {
  const std::string_view fresh = input.substr(std::min(seen_, input.size()));
  if (fresh.empty()) return {};  // to the parser it would be the end of the stream
  seen_ += http_parser_execute(&parser_, &settings_, fresh.data(), fresh.size());
  if (whole_) {
    whole_ = false;
    expects_ = false;
    http_parser_pause(&parser_, 0);
    return {.state = State::kWhole, .size = std::exchange(seen_, 0)};
  }
  const http_errno error = HTTP_PARSER_ERRNO(&parser_);
  if (error == HPE_OK && seen_ == input.size()) return {};
  if (!refusal_ && error == HPE_HEADER_OVERFLOW) {
    Refuse(431,
           fmt::format("the request's line and headers are over {} KiB", kHttpHeadBytesMax / 1024));
  }
  if (!refusal_)
    Refuse(400, fmt::format("this is no HTTP request: {}", http_errno_description(error)));
  return {.state = State::kBroken, .refusal = *refusal_};
}

int HttpReader::OnHeaderName(const char* at, size_t size) {
  if (in_value_ && EndHeader() != 0) return -1;
  name_.append(at, size);
  return 0;
}

int HttpReader::EndHeader() {
  in_value_ = false;
  std::string name = Lower(std::exchange(name_, {}));
  std::string value = std::exchange(value_, {});
  if (in_trailer_) return 0;
  if (request_.headers.size() == kHttpHeadersMax) {
    return Refuse(431, fmt::format("more than {} headers", kHttpHeadersMax));
  }
  request_.headers.emplace_back(std::move(name), std::move(value));
  return 0;
}

int HttpReader::OnHeadersComplete() {
  if (in_value_ && EndHeader() != 0) return -1;
  in_trailer_ = true;
  request_.method = static_cast<http_method>(parser_.method);
  const bool sized = (parser_.flags & F_CONTENTLENGTH) != 0;
  std::string_view what;
  if (const size_t most = BodyBytesMax(&what); sized && parser_.content_length > most) {
    return OnBody(nullptr, most + 1);
  }
  if (const std::string* expected = request_.Header("expect")) {
    if (Lower(*expected) != "100-continue") {
      return Refuse(417, "of expectations there is only 100-continue");
    }
    expects_ = parser_.http_major == 1 && parser_.http_minor >= 1;
  }
  return 0;
}

int HttpReader::OnBody(const char* at, size_t size) {
  std::string_view what;
  if (const size_t most = BodyBytesMax(&what); request_.body.size() + size > most) {
    return Refuse(413, fmt::format("the body is over {} bytes, the limit of {}", most, what));
  }
  request_.body.append(at, size);
  return 0;
}

size_t HttpReader::BodyBytesMax(std::string_view* what) const {
  if (request_.method == HTTP_PUT) {
    *what = "a value (value_bytes_max in [limits])";
    return value_bytes_max_;
  }
  if (request_.method == HTTP_POST) {
    *what = "the arguments of a call";
    return arguments_bytes_max_;
  }
  *what = "a request that has no use for one";
  return kHttpIdleBodyBytesMax;
}

int HttpReader::Refuse(int status, std::string text) {
  refusal_ = HttpReply{.status = status, .type = "text/plain; charset=utf-8", .body = text + "\n"};
  return -1;
}

}  // namespace eddy::server
