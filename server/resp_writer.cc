#include "server/resp_writer.h"

#include <algorithm>
#include <charconv>

namespace eddy::server {

void RespWriter::Header(char type, int64_t value) {
  char buffer[24];
  buffer[0] = type;
  char* end = std::to_chars(buffer + 1, buffer + sizeof(buffer) - 2, value).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out_->append(buffer, end);
}

void RespWriter::Line(char type, std::string_view text) {
  out_->push_back(type);
  out_->append(text);
  out_->append("\r\n");
}

void RespWriter::Error(std::string_view text) {
  const size_t begin = out_->size() + 1;
  Line('-', text);
  const auto first = out_->begin() + static_cast<std::ptrdiff_t>(begin);
  std::replace_if(first, out_->end() - 2, [](char c) { return c == '\r' || c == '\n'; }, ' ');
}

void RespWriter::Bulk(std::string_view bytes) {
  Header('$', static_cast<int64_t>(bytes.size()));
  // At once, or the end of the line would double what a large value takes.
  out_->reserve(out_->size() + bytes.size() + 2);
  out_->append(bytes);
  out_->append("\r\n");
}

void RespWriter::Null() { out_->append(version_ == RespVersion::k3 ? "_\r\n" : "$-1\r\n"); }

void RespWriter::Map(size_t pairs) {
  if (version_ == RespVersion::k3) {
    Header('%', static_cast<int64_t>(pairs));
  } else {
    Array(2 * pairs);
  }
}

void RespWriter::Set(size_t size) {
  Header(version_ == RespVersion::k3 ? '~' : '*', static_cast<int64_t>(size));
}

void RespWriter::Verbatim(std::string_view text) {
  if (version_ == RespVersion::k2) return Bulk(text);
  Header('=', static_cast<int64_t>(text.size() + 4));
  out_->append("txt:");
  out_->append(text);
  out_->append("\r\n");
}

}  // namespace eddy::server
