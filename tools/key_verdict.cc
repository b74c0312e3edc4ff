#include "tools/key_verdict.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace eddy::tools {

namespace {

// "n1", "n1 and n2", "n1, n2 and n3".
std::string Names(const std::vector<std::string>& names) {
  if (names.size() < 2) return names.empty() ? "" : names.front();
  const std::vector<std::string> first(names.begin(), names.end() - 1);
  return fmt::format("{} and {}", fmt::join(first, ", "), names.back());
}

std::string_view Hold(size_t count) { return count == 1 ? "holds" : "hold"; }

}  // namespace

KeyVerdict JudgeKey(const std::vector<OwnersCopy>& owners, const std::vector<KeptHint>& hints,
                    bool compares, const std::string& repair) {
  KeyVerdict verdict;
  std::map<std::string, std::vector<std::string>> by_digest;
  std::vector<std::string> without;
  bool all_known = true;
  bool rotten = false;
  for (const OwnersCopy& owner : owners) {
    if (!owner.silence.empty()) {
      all_known = false;
      verdict.sentences.push_back(fmt::format(
          "{} does not answer ({}), so what it holds is not known.", owner.node, owner.silence));
    } else if (!owner.rot.empty()) {
      all_known = false;
      rotten = true;
      verdict.sentences.push_back(fmt::format(
          "{} holds a row that cannot be trusted ({}): another owner's record takes its "
          "place.",
          owner.node, owner.rot));
    } else if (owner.digest) {
      by_digest[*owner.digest].push_back(owner.node);
    } else {
      without.push_back(owner.node);
    }
  }
  const bool differ = by_digest.size() + (without.empty() ? 0 : 1) > 1;
  if (differ) {
    for (const auto& [digest, names] : by_digest) {
      verdict.sentences.push_back(fmt::format("{} {} the record {}.", Names(names),
                                              Hold(names.size()), digest.substr(0, 8)));
    }
    if (!without.empty()) {
      verdict.sentences.push_back(
          fmt::format("{} {} nothing.", Names(without), Hold(without.size())));
    }
  }
  for (const KeptHint& hint : hints) {
    const auto owner = std::ranges::find(owners, hint.owner, &OwnersCopy::node);
    const bool has_it =
        owner != owners.end() && owner->silence.empty() && owner->digest == hint.digest;
    const bool away = owner != owners.end() && !owner->silence.empty();
    verdict.sentences.push_back(
        has_it ? fmt::format("{} keeps a hint for {}, which holds the same already; it goes with "
                             "the next delivery.",
                             hint.holder, hint.owner)
               : fmt::format("{} keeps a hint for {} and brings it{}.", hint.holder, hint.owner,
                             away ? " when that is back" : ""));
  }
  if (differ || rotten) {
    verdict.sentences.push_back(
        compares
            ? fmt::format("The next read of the key levels the owners that answer, and so does "
                          "the next comparison of its partition; '{}' does it now.",
                          repair)
            : "The next read of the key levels the owners that answer. Nothing else does: "
              "anti-entropy is off (anti_entropy_seconds).");
  }
  verdict.converged = all_known && !differ && hints.empty();
  if (verdict.converged) {
    verdict.sentences.push_back(
        by_digest.empty()
            ? fmt::format("None of the {} owners holds anything of it: it was never written, or "
                          "was deleted so long ago that nobody need remember it.",
                          owners.size())
            : fmt::format("All {} owners hold the same record.", owners.size()));
  }
  return verdict;
}

}  // namespace eddy::tools
