// The words of a line of a scenario (sim/scenario.h), and what is taken for a number, a time or a
// mistake. Pure.
#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "base/time.h"
#include "sim/scenario.h"

namespace eddy::sim {

// The words of one line, taken one after the other. The first thing that is wrong stays, and what
// is taken after that means nothing.
class Words {
 public:
  explicit Words(std::string_view line) {
    for (size_t i = 0; i < line.size();) {
      if (line[i] == '#') break;
      if (IsSpace(line[i])) {
        ++i;
        continue;
      }
      const size_t begin = i;
      while (i < line.size() && !IsSpace(line[i])) ++i;
      words_.emplace_back(line.substr(begin, i - begin));
    }
  }

  bool empty() const { return words_.empty(); }
  bool AtEnd() const { return next_ == words_.size(); }
  std::string_view Peek(size_t ahead = 0) const {
    return next_ + ahead < words_.size() ? std::string_view(words_[next_ + ahead])
                                         : std::string_view();
  }
  bool Accept(std::string_view word) {
    if (Peek() != word || AtEnd()) return false;
    ++next_;
    return true;
  }
  std::string Take(std::string_view what) {
    if (AtEnd()) {
      Wrong(fmt::format("{} is missing here", what));
      return {};
    }
    return words_[next_++];
  }
  void Need(std::string_view word) {
    if (Accept(word)) return;
    Wrong(AtEnd() ? fmt::format("'{}' is missing here", word)
                  : fmt::format("'{}' must come here, not {}", word, Quoted(Peek())));
  }
  uint64_t TakeNumber(std::string_view what, uint64_t least, uint64_t most) {
    const std::string word = Take(what);
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error == std::errc() && end == word.data() + word.size() && number >= least &&
        number <= most) {
      return number;
    }
    Wrong(fmt::format("{} is a number from {} to {}, not {}", what, least, most, Quoted(word)));
    return least;
  }
  Duration TakeTime() { return TimeOf(Take("a time such as 500ms or 2s")); }
  Duration TakeLeap() { return TimeOf(Take("a time such as 2h or 30d"), Scenario::kLeapMax); }
  Duration TimeOf(std::string_view word, Duration at_most = Scenario::kWaitMax) {
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error == std::errc() && std::string_view(end, word.data() + word.size()) == "us" &&
        number <= 1'000'000) {
      return std::chrono::microseconds(number);
    }
    const auto parsed = ParseDuration(word);
    if (!parsed) {
      Wrong(parsed.error().text);
      return {};
    }
    if (*parsed > at_most) {
      Wrong(fmt::format("a time here is at most {} h",
                        std::chrono::duration_cast<std::chrono::hours>(at_most).count()));
    }
    return *parsed;
  }
  void Wrong(std::string what) {
    if (wrong_.empty()) wrong_ = std::move(what);
  }
  const std::string& wrong() const { return wrong_; }

  std::string Text() const { return fmt::format("{}", fmt::join(words_, " ")); }
  // The same line with every $ replaced.
  Words With(uint32_t turn) const {
    Words replaced = *this;
    const std::string number = std::to_string(turn);
    for (std::string& word : replaced.words_) {
      for (size_t at = word.find('$'); at != std::string::npos; at = word.find('$', at)) {
        word.replace(at, 1, number);
      }
    }
    return replaced;
  }

 private:
  static bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r'; }

  std::vector<std::string> words_;
  size_t next_ = 0;
  std::string wrong_;
};

}  // namespace eddy::sim
