// What Redis 7 answers, one command after another: strings, expiry and conditions, written from its
// documentation and not from our code. RESP2.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace eddy::server {

class RedisModel {
 public:
  explicit RedisModel(int64_t now_ms) : now_ms_(now_ms) {}

  // The reply, as bytes. The first word is the command, in any case.
  std::string Run(std::vector<std::string> words);
  void Advance(int64_t ms) { now_ms_ += ms; }

 private:
  struct Entry {
    std::string value;
    std::optional<int64_t> expires_ms;
  };
  using Words = std::vector<std::string>;

  Entry* Find(const std::string& key);
  std::string Set(const Words& words);
  std::string GetEx(const Words& words);
  std::string SetEx(const Words& words, int64_t unit_ms);
  std::string Expire(const Words& words);
  std::string ExpiryOf(const Words& words);
  // Reads a number of `unit_ms` as a time; the error's text if it is none.
  std::optional<std::string> ReadTime(const std::string& number, int64_t unit_ms, bool absolute,
                                      bool any_sign, const std::string& command, int64_t* when);

  int64_t now_ms_;
  std::map<std::string, Entry> entries_;
};

}  // namespace eddy::server
