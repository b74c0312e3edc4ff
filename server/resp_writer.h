// Replies as RESP, in the version that the connection speaks: what RESP3 has a type for (maps,
// sets, nulls, verbatim text) becomes its nearest kin in RESP2. Appends to a string that it
// borrows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace eddy::server {

enum class RespVersion : uint8_t { k2 = 2, k3 = 3 };

class RespWriter {
 public:
  RespWriter(std::string* out, RespVersion version) : out_(out), version_(version) {}

  // A status such as "OK"; must hold no line break.
  void Simple(std::string_view text) { Line('+', text); }
  // A code in capitals, a space, and a sentence. Line breaks become spaces, so that text from
  // elsewhere cannot end the reply early.
  void Error(std::string_view text);
  void Integer(int64_t value) { Header(':', value); }
  void Bulk(std::string_view bytes);
  void Null();
  // Followed by so many values; a map by so many pairs.
  void Array(size_t size) { Header('*', static_cast<int64_t>(size)); }
  void Map(size_t pairs);
  void Set(size_t size);
  // Text for people, such as INFO's.
  void Verbatim(std::string_view text);

  RespVersion version() const { return version_; }

 private:
  void Header(char type, int64_t value);
  void Line(char type, std::string_view text);

  std::string* out_;
  RespVersion version_;
};

}  // namespace eddy::server
