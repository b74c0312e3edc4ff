#include "tests/server/redis_model.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include <fmt/format.h>

namespace eddy::server {

namespace {

__extension__ using Wide = __int128;

constexpr char kNil[] = "$-1\r\n";
constexpr char kOk[] = "+OK\r\n";
constexpr char kSyntax[] = "-ERR syntax error\r\n";

std::string Integer(int64_t value) { return fmt::format(":{}\r\n", value); }
std::string Bulk(const std::string& bytes) {
  return fmt::format("${}\r\n{}\r\n", bytes.size(), bytes);
}

std::string Upper(std::string word) {
  for (char& c : word) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return word;
}

std::string Lower(std::string word) {
  for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return word;
}

bool ArityIsRight(const std::string& name, size_t words) {
  static const std::map<std::string, int> kArities = {
      {"GET", 2},    {"SET", -3},    {"GETSET", 3},    {"GETDEL", 2},     {"GETEX", -2},
      {"SETNX", 3},  {"SETEX", 4},   {"PSETEX", 4},    {"MGET", -2},      {"MSET", -3},
      {"DEL", -2},   {"UNLINK", -2}, {"EXISTS", -2},   {"TOUCH", -2},     {"STRLEN", 2},
      {"APPEND", 3}, {"TYPE", 2},    {"EXPIRE", -3},   {"PEXPIRE", -3},   {"EXPIREAT", -3},
      {"TTL", 2},    {"PTTL", 2},    {"PERSIST", 2},   {"EXPIRETIME", 2}, {"PEXPIRETIME", 2},
      {"PING", -1},  {"ECHO", 2},    {"PEXPIREAT", -3}};
  const int arity = kArities.at(name);
  const int count = static_cast<int>(words);
  if (name == "MSET" && count % 2 == 0) return false;
  return arity < 0 ? count >= -arity : count == arity;
}

}  // namespace

RedisModel::Entry* RedisModel::Find(const std::string& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  if (found->second.expires_ms && *found->second.expires_ms <= now_ms_) {
    entries_.erase(found);
    return nullptr;
  }
  return &found->second;
}

std::optional<std::string> RedisModel::ReadTime(const std::string& number, int64_t unit_ms,
                                                bool absolute, bool any_sign,
                                                const std::string& command, int64_t* when) {
  int64_t value = 0;
  const char* end = number.data() + number.size();
  if (auto read = std::from_chars(number.data(), end, value);
      read.ec != std::errc() || read.ptr != end) {
    return "-ERR value is not an integer or out of range\r\n";
  }
  const Wide moment = Wide{value} * unit_ms + (absolute ? 0 : now_ms_);
  // The last millisecond is where Eddy keeps 'never'.
  if ((!any_sign && value <= 0) || moment >= INT64_MAX || moment < INT64_MIN) {
    return fmt::format("-ERR invalid expire time in '{}' command\r\n", Lower(command));
  }
  *when = static_cast<int64_t>(moment);
  return std::nullopt;
}

std::string RedisModel::Run(Words words) {
  const std::string name = Upper(words[0]);
  if (!ArityIsRight(name, words.size())) {
    return fmt::format("-ERR wrong number of arguments for '{}' command\r\n", Lower(name));
  }
  if (name == "PING") return words.size() == 1 ? "+PONG\r\n" : Bulk(words[1]);
  if (name == "ECHO") return Bulk(words[1]);
  if (name == "SET") return Set(words);
  if (name == "GETEX") return GetEx(words);
  if (name == "SETEX") return SetEx(words, 1000);
  if (name == "PSETEX") return SetEx(words, 1);
  if (name.ends_with("EXPIRE") || name.ends_with("EXPIREAT")) return Expire(words);
  if (name.ends_with("TTL") || name.ends_with("EXPIRETIME")) return ExpiryOf(words);

  Entry* entry = Find(words[1]);
  const std::string value = entry == nullptr ? kNil : Bulk(entry->value);
  if (name == "GET") return value;
  if (name == "STRLEN") {
    return Integer(entry == nullptr ? 0 : static_cast<int64_t>(entry->value.size()));
  }
  if (name == "TYPE") return entry == nullptr ? "+none\r\n" : "+string\r\n";
  if (name == "GETSET") {
    entries_[words[1]] = {words[2], std::nullopt};
    return value;
  }
  if (name == "GETDEL") {
    entries_.erase(words[1]);
    return value;
  }
  if (name == "SETNX") {
    if (entry == nullptr) entries_[words[1]] = {words[2], std::nullopt};
    return Integer(entry == nullptr ? 1 : 0);
  }
  if (name == "APPEND") {
    if (entry == nullptr) entry = &entries_[words[1]];
    entry->value += words[2];
    return Integer(static_cast<int64_t>(entry->value.size()));
  }
  if (name == "PERSIST") {
    const bool had = entry != nullptr && entry->expires_ms;
    if (had) entry->expires_ms.reset();
    return Integer(had ? 1 : 0);
  }
  if (name == "MSET") {
    for (size_t at = 1; at < words.size(); at += 2) {
      entries_[words[at]] = {words[at + 1], std::nullopt};
    }
    return kOk;
  }
  if (name == "MGET") {
    std::string reply = fmt::format("*{}\r\n", words.size() - 1);
    for (size_t at = 1; at < words.size(); ++at) {
      const Entry* found = Find(words[at]);
      reply += found == nullptr ? kNil : Bulk(found->value);
    }
    return reply;
  }
  int64_t count = 0;
  for (size_t at = 1; at < words.size(); ++at) {
    if (Find(words[at]) == nullptr) continue;
    ++count;
    if (name == "DEL" || name == "UNLINK") entries_.erase(words[at]);
  }
  return Integer(count);
}

std::string RedisModel::Set(const Words& words) {
  bool nx = false;
  bool xx = false;
  bool get = false;
  bool keep = false;
  std::string unit;
  std::string number;
  for (size_t at = 3; at < words.size(); ++at) {
    const std::string option = Upper(words[at]);
    const bool timed = option == "EX" || option == "PX" || option == "EXAT" || option == "PXAT";
    if (option == "NX") {
      nx = true;
    } else if (option == "XX") {
      xx = true;
    } else if (option == "GET") {
      get = true;
    } else if (option == "KEEPTTL") {
      keep = true;
    } else if (timed && (unit.empty() || unit == option) && at + 1 < words.size()) {
      unit = option;
      number = words[++at];
    } else {
      return kSyntax;
    }
  }
  if ((nx && xx) || (keep && !unit.empty())) return kSyntax;
  std::optional<int64_t> expires;
  if (!unit.empty()) {
    int64_t when = 0;
    if (auto error =
            ReadTime(number, unit[0] == 'E' ? 1000 : 1, unit.size() == 4, false, "set", &when)) {
      return *error;
    }
    expires = when;
  }
  const Entry* entry = Find(words[1]);
  const std::string old = entry == nullptr ? kNil : Bulk(entry->value);
  if (entry == nullptr ? xx : nx) return get ? old : kNil;
  if (keep && entry != nullptr) expires = entry->expires_ms;
  entries_[words[1]] = {words[2], expires};
  return get ? old : kOk;
}

std::string RedisModel::SetEx(const Words& words, int64_t unit_ms) {
  int64_t when = 0;
  if (auto error = ReadTime(words[2], unit_ms, false, false, words[0], &when)) return *error;
  entries_[words[1]] = {words[3], when};
  return kOk;
}

std::string RedisModel::GetEx(const Words& words) {
  std::string unit;
  std::string number;
  for (size_t at = 2; at < words.size(); ++at) {
    const std::string option = Upper(words[at]);
    const bool timed = option == "EX" || option == "PX" || option == "EXAT" || option == "PXAT";
    if ((!timed && option != "PERSIST") || (!unit.empty() && unit != option) ||
        (timed && at + 1 == words.size())) {
      return kSyntax;
    }
    unit = option;
    if (timed) number = words[++at];
  }
  std::optional<int64_t> expires;
  if (!unit.empty() && unit != "PERSIST") {
    int64_t when = 0;
    // Redis looks at the number only if there is a key; Eddy always does.
    if (auto error =
            ReadTime(number, unit[0] == 'E' ? 1000 : 1, unit.size() == 4, false, "getex", &when)) {
      return *error;
    }
    expires = when;
  }
  Entry* entry = Find(words[1]);
  if (entry == nullptr) return kNil;
  const std::string value = Bulk(entry->value);
  if (words.size() > 2) entry->expires_ms = expires;
  return value;
}

std::string RedisModel::Expire(const Words& words) {
  const std::string name = Upper(words[0]);
  bool nx = false;
  bool xx = false;
  bool gt = false;
  bool lt = false;
  for (size_t at = 3; at < words.size(); ++at) {
    const std::string option = Upper(words[at]);
    if (option != "NX" && option != "XX" && option != "GT" && option != "LT") {
      return fmt::format("-ERR Unsupported option {}\r\n", words[at]);
    }
    nx = nx || option == "NX";
    xx = xx || option == "XX";
    gt = gt || option == "GT";
    lt = lt || option == "LT";
  }
  if (nx && (xx || gt || lt)) {
    return "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n";
  }
  if (gt && lt) return "-ERR GT and LT options at the same time are not compatible\r\n";
  int64_t when = 0;
  if (auto error =
          ReadTime(words[2], name[0] == 'P' ? 1 : 1000, name.ends_with("AT"), true, name, &when)) {
    return *error;
  }
  Entry* entry = Find(words[1]);
  if (entry == nullptr) return Integer(0);
  const std::optional<int64_t> old = entry->expires_ms;
  if ((nx && old) || (xx && !old) || (gt && (!old || when <= *old)) ||
      (lt && old && when >= *old)) {
    return Integer(0);
  }
  entry->expires_ms = when;
  return Integer(1);
}

std::string RedisModel::ExpiryOf(const Words& words) {
  const std::string name = Upper(words[0]);
  const Entry* entry = Find(words[1]);
  if (entry == nullptr) return Integer(-2);
  if (!entry->expires_ms) return Integer(-1);
  const int64_t ms = *entry->expires_ms - (name.ends_with("TIME") ? 0 : now_ms_);
  return Integer(name[0] == 'P' ? ms : static_cast<int64_t>((Wide{ms} + 500) / 1000));
}

}  // namespace eddy::server
