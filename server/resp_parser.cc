#include "server/resp_parser.h"

#include <charconv>
#include <cstdint>
#include <optional>

#include <fmt/format.h>

namespace eddy::server {

namespace {

// '*' or '$', the digits of a 64-bit number, its sign, and CR LF, with room to spare.
constexpr size_t kHeaderBytesMax = 32;

Error ProtocolError(std::string text) {
  return Error{Code::kInvalidArgument, "Protocol error: " + std::move(text)};
}

// What stands between position + 1 and CR LF, when that is there.
struct HeaderLine {
  std::optional<std::string_view> text;
  bool too_long = false;
};

HeaderLine FindHeader(std::string_view input, size_t position) {
  const std::string_view line = input.substr(position, kHeaderBytesMax);
  const size_t end = line.find('\n');
  if (end == line.npos) return {.text = std::nullopt, .too_long = line.size() == kHeaderBytesMax};
  return {.text = line.substr(1, end - 1)};
}

std::optional<int64_t> ParseLength(std::string_view text) {
  if (!text.ends_with('\r')) return std::nullopt;
  text.remove_suffix(1);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::optional<char> HexByte(std::string_view digits) {
  uint8_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) return std::nullopt;
  return static_cast<char>(value);
}

char Unescape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

// Reads a quoted argument from behind its opening quote; returns the position behind the closing
// one, or npos when the quotes do not balance.
size_t ReadQuoted(std::string_view line, size_t at, char quote, std::string* out) {
  for (; at < line.size(); ++at) {
    const char c = line[at];
    if (c == quote) {
      const bool ends = at + 1 == line.size() || IsSpace(line[at + 1]);
      return ends ? at + 1 : line.npos;
    }
    if (c != '\\' || at + 1 == line.size() || (quote == '\'' && line[at + 1] != '\'')) {
      out->push_back(c);
      continue;
    }
    if (quote == '"' && line[at + 1] == 'x') {
      if (const auto byte = HexByte(line.substr(at + 2, 2))) {
        out->push_back(*byte);
        at += 3;
        continue;
      }
    }
    ++at;
    out->push_back(quote == '"' ? Unescape(line[at]) : line[at]);
  }
  return line.npos;
}

}  // namespace

Result<size_t> RespParser::Next(std::string_view input) {
  if (stage_ == Stage::kStart) {
    if (input.empty()) return 0;
    position_ = 0;
    pieces_.clear();
    arguments_.clear();
    stage_ = input.front() == '*' ? Stage::kArray : Stage::kInline;
  }
  if (stage_ == Stage::kInline) return NextInline(input);
  if (position_ == 0) {
    const auto read = ReadArrayHeader(input);
    if (!read) return std::unexpected(read.error());
    if (!*read) return 0;
  }
  while (missing_ > 0) {
    if (stage_ == Stage::kArray) {
      const auto read = ReadBulkHeader(input);
      if (!read) return std::unexpected(read.error());
      if (!*read) return 0;
    }
    const auto read = ReadBulk(input);
    if (!read) return std::unexpected(read.error());
    if (!*read) return 0;
  }
  for (const Piece& piece : pieces_) arguments_.push_back(input.substr(piece.begin, piece.size));
  stage_ = Stage::kStart;
  return position_;
}

Result<bool> RespParser::ReadArrayHeader(std::string_view input) {
  const HeaderLine header = FindHeader(input, position_);
  if (header.too_long) return std::unexpected(ProtocolError("too big mbulk count string"));
  if (!header.text) return false;
  const auto count = ParseLength(*header.text);
  if (!count) return std::unexpected(ProtocolError("invalid multibulk length"));
  if (*count > static_cast<int64_t>(limits_.arguments_max)) {
    return std::unexpected(ProtocolError(fmt::format(
        "invalid multibulk length: {} arguments, the limit is {}", *count, limits_.arguments_max)));
  }
  missing_ = *count > 0 ? static_cast<size_t>(*count) : 0;
  position_ += header.text->size() + 2;
  return true;
}

Result<bool> RespParser::ReadBulkHeader(std::string_view input) {
  if (position_ == input.size()) return false;
  if (input[position_] != '$') {
    return std::unexpected(
        ProtocolError(fmt::format("expected '$', got '{}'", input.substr(position_, 1))));
  }
  const HeaderLine header = FindHeader(input, position_);
  if (header.too_long) return std::unexpected(ProtocolError("too big bulk count string"));
  if (!header.text) return false;
  const auto size = ParseLength(*header.text);
  if (!size || *size < 0) return std::unexpected(ProtocolError("invalid bulk length"));
  if (*size > static_cast<int64_t>(limits_.bulk_bytes_max)) {
    return std::unexpected(ProtocolError(fmt::format(
        "invalid bulk length: {} bytes, the limit is {}", *size, limits_.bulk_bytes_max)));
  }
  bulk_size_ = static_cast<size_t>(*size);
  position_ += header.text->size() + 2;
  if (position_ + bulk_size_ + 2 > limits_.command_bytes_max) {
    return std::unexpected(ProtocolError(
        fmt::format("the command is larger than {} bytes", limits_.command_bytes_max)));
  }
  stage_ = Stage::kBulk;
  return true;
}

Result<bool> RespParser::ReadBulk(std::string_view input) {
  if (input.size() - position_ < bulk_size_ + 2) return false;
  if (input.substr(position_ + bulk_size_, 2) != "\r\n") {
    return std::unexpected(ProtocolError("a bulk string is not followed by CR LF"));
  }
  pieces_.push_back({position_, bulk_size_});
  position_ += bulk_size_ + 2;
  --missing_;
  stage_ = Stage::kArray;
  return true;
}

Result<size_t> RespParser::NextInline(std::string_view input) {
  const std::string_view allowed = input.substr(0, limits_.inline_bytes_max + 1);
  const size_t end = allowed.find('\n', position_);
  if (end == allowed.npos) {
    if (allowed.size() > limits_.inline_bytes_max) {
      return std::unexpected(ProtocolError(
          fmt::format("too big inline request: no end within {} bytes", limits_.inline_bytes_max)));
    }
    position_ = allowed.size();
    return 0;
  }
  std::string_view line = allowed.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (auto split = SplitInline(line); !split) return std::unexpected(split.error());
  stage_ = Stage::kStart;
  return end + 1;
}

Status RespParser::SplitInline(std::string_view line) {
  inline_bytes_.clear();
  for (size_t at = 0; at < line.size();) {
    if (IsSpace(line[at])) {
      ++at;
      continue;
    }
    const size_t begin = inline_bytes_.size();
    while (at < line.size() && !IsSpace(line[at])) {
      const char c = line[at];
      if (c != '"' && c != '\'') {
        inline_bytes_.push_back(c);
        ++at;
        continue;
      }
      at = ReadQuoted(line, at + 1, c, &inline_bytes_);
      if (at == line.npos) {
        return std::unexpected(ProtocolError("unbalanced quotes in request"));
      }
    }
    pieces_.push_back({begin, inline_bytes_.size() - begin});
  }
  for (const Piece& piece : pieces_) {
    arguments_.push_back(std::string_view(inline_bytes_).substr(piece.begin, piece.size));
  }
  return {};
}

}  // namespace eddy::server
