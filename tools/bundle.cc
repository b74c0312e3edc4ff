#include "tools/bundle.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/check.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kBlockBytes = 512;
constexpr std::string_view kRemoved = "(removed)";
constexpr std::string_view kSecretWords[] = {
    "password", "passwd",      "secret",     "token",      "api_key",
    "apikey",   "private_key", "credential", "passphrase", "authorization"};

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

bool IsSecretName(std::string_view name) {
  const std::string lower = Lower(name);
  return std::ranges::any_of(kSecretWords,
                             [&](std::string_view word) { return lower.contains(word); });
}

// A field of a header: octal digits and a zero byte.
void SetOctal(char* field, size_t size, uint64_t number) {
  const std::string digits = fmt::format("{:0{}o}", number, size - 1);
  CHECK(digits.size() == size - 1);
  std::memcpy(field, digits.data(), digits.size());
}

std::string HeaderOf(const BundleFile& file, WallTime time) {
  CHECK(file.name.size() < 100);
  std::string header(kBlockBytes, '\0');
  std::memcpy(header.data(), file.name.data(), file.name.size());
  SetOctal(header.data() + 100, 8, 0600);
  SetOctal(header.data() + 108, 8, 0);
  SetOctal(header.data() + 116, 8, 0);
  SetOctal(header.data() + 124, 12, file.bytes.size());
  SetOctal(header.data() + 136, 12, static_cast<uint64_t>(time.time_since_epoch().count()) / 1000);
  std::memset(header.data() + 148, ' ', 8);
  header[156] = '0';
  std::memcpy(header.data() + 257, "ustar\00000", 8);
  uint64_t sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  SetOctal(header.data() + 148, 7, sum);
  header[154] = '\0';
  return header;
}

bool EndsValue(char c) {
  return c == ' ' || c == ',' || c == ';' || c == '&' || c == '"' || c == '\'' || c == '\n' ||
         c == '}' || c == ')';
}

}  // namespace

std::string TarOf(const std::vector<BundleFile>& files, WallTime time) {
  std::string tar;
  for (const BundleFile& file : files) {
    tar += HeaderOf(file, time);
    tar += file.bytes;
    tar.append((kBlockBytes - file.bytes.size() % kBlockBytes) % kBlockBytes, '\0');
  }
  tar.append(2 * kBlockBytes, '\0');
  return tar;
}

void RemoveSecrets(Json* json) {
  if (json->is_object()) {
    // A setting names its key in one member and has the value in another.
    const auto key = json->find("key");
    const auto value = json->find("value");
    if (key != json->end() && value != json->end() && key->is_string() &&
        IsSecretName(key->get<std::string>())) {
      *value = kRemoved;
    }
    for (auto& [name, member] : json->items()) {
      if (IsSecretName(name)) {
        member = kRemoved;
      } else {
        RemoveSecrets(&member);
      }
    }
  } else if (json->is_array()) {
    for (Json& element : *json) RemoveSecrets(&element);
  }
}

std::string WithoutSecrets(std::string_view text) {
  const std::string lower = Lower(text);
  std::string clean;
  for (size_t at = 0; at < text.size();) {
    // scheme://user:password@host
    if (lower.compare(at, 3, "://") == 0) {
      const size_t end = text.find_first_of(" \n\"'/", at + 3);
      const size_t sign = text.find('@', at + 3);
      if (sign != std::string_view::npos && sign < std::min(end, text.size())) {
        clean += "://";
        clean += kRemoved;
        at = sign;
        continue;
      }
    }
    const auto word = std::ranges::find_if(kSecretWords, [&](std::string_view each) {
      return lower.compare(at, each.size(), each) == 0;
    });
    if (word == std::end(kSecretWords)) {
      clean += text[at++];
      continue;
    }
    size_t end = at + word->size();
    // What belongs to the name, and the sign with what may stand around it.
    while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) != 0 ||
                                 text[end] == '_' || text[end] == '-')) {
      ++end;
    }
    size_t sign = end;
    while (sign < text.size() && (text[sign] == ' ' || text[sign] == '"' || text[sign] == '\'')) {
      ++sign;
    }
    if (sign == text.size() || (text[sign] != '=' && text[sign] != ':')) {
      clean += text.substr(at, end - at);
      at = end;
      continue;
    }
    ++sign;
    while (sign < text.size() && (text[sign] == ' ' || text[sign] == '"' || text[sign] == '\'')) {
      ++sign;
    }
    clean += text.substr(at, sign - at);
    // An authorization has its kind before it.
    for (const std::string_view kind : {"basic ", "bearer "}) {
      if (lower.compare(sign, kind.size(), kind) == 0) sign += kind.size();
    }
    at = sign;
    while (at < text.size() && !EndsValue(text[at])) ++at;
    if (at > sign) clean += kRemoved;
  }
  return clean;
}

}  // namespace eddy::tools
