#include "sim/value.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace eddy::sim {

std::string MakeValue(uint64_t operation, size_t bytes) {
  CHECK(bytes >= kValueBytesMin);
  std::string value(bytes, '\0');
  uint64_t word = operation;
  for (size_t at = 0; at < bytes; at += sizeof(word)) {
    std::memcpy(value.data() + at, &word, std::min(sizeof(word), bytes - at));
    word = (word ^ (word >> 29)) * 0xbf58476d1ce4e5b9 + bytes;
  }
  return value;
}

std::optional<uint64_t> OperationOfValue(std::string_view value) {
  if (value.size() < kValueBytesMin) return std::nullopt;
  uint64_t operation = 0;
  std::memcpy(&operation, value.data(), sizeof(operation));
  if (value != MakeValue(operation, value.size())) return std::nullopt;
  return operation;
}

}  // namespace eddy::sim
