// Commands out of the byte stream that Redis clients send: arrays of bulk strings, and inline
// commands for people with a terminal. Parses in place and incrementally: arguments are borrowed
// from the input, and bytes that were looked at are not looked at again, so a command that arrives
// byte by byte costs no more than one that arrives whole, and gives the same result. Every length
// is checked before anything is allocated or awaited for it. One connection, one parser.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/status.h"

namespace eddy::server {

struct RespParserLimits {
  size_t arguments_max = 64 * 1024;
  size_t bulk_bytes_max = kValueBytesMax;
  size_t inline_bytes_max = 64 * 1024;
  // Of a whole command, framing included: what the connection must be able to buffer.
  size_t command_bytes_max = 2 * kValueBytesMax;
};

class RespParser {
 public:
  explicit RespParser(const RespParserLimits& limits) : limits_(limits) {}

  // The command at the front of `input`: how many bytes it took, 0 when bytes are missing. Until a
  // command is complete, each call must show the same bytes again with more behind them. An empty
  // line and an empty array are commands without arguments. kInvalidArgument: the stream can no
  // longer be understood and must be closed; the text is what Redis says, and what the limit is.
  [[nodiscard]] Result<size_t> Next(std::string_view input);

  // Of the command that Next completed; borrowed from its input (or from the parser, for an inline
  // command), until the next call.
  std::span<const std::string_view> arguments() const { return arguments_; }

 private:
  struct Piece {
    size_t begin;
    size_t size;
  };
  enum class Stage { kStart, kArray, kBulk, kInline };

  Result<size_t> NextInline(std::string_view input);
  // Steps of an array: each returns false when bytes are missing.
  Result<bool> ReadArrayHeader(std::string_view input);
  Result<bool> ReadBulkHeader(std::string_view input);
  Result<bool> ReadBulk(std::string_view input);
  // Splits as Redis does, with "double" (with escapes) and 'single' quotes.
  Status SplitInline(std::string_view line);

  RespParserLimits limits_;

  // Of the command being read; positions are relative to its first byte.
  Stage stage_ = Stage::kStart;
  size_t position_ = 0;
  size_t missing_ = 0;  // arguments
  size_t bulk_size_ = 0;
  std::vector<Piece> pieces_;
  std::string inline_bytes_;
  std::vector<std::string_view> arguments_;
};

}  // namespace eddy::server
