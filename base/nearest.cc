#include "base/nearest.h"

#include <algorithm>
#include <vector>

namespace eddy {

std::optional<std::string> Nearest(std::string_view word, std::span<const std::string> candidates) {
  std::optional<std::string> nearest;
  size_t least = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    // Damerau and Levenshtein's distance, where swapped neighbours count once.
    std::vector<std::vector<size_t>> cost(word.size() + 1,
                                          std::vector<size_t>(candidate.size() + 1));
    for (size_t i = 0; i <= word.size(); i++) {
      for (size_t k = 0; k <= candidate.size(); k++) {
        if (i == 0 || k == 0) {
          cost[i][k] = i + k;
          continue;
        }
        const bool same = word[i - 1] == candidate[k - 1];
        cost[i][k] = std::min({cost[i - 1][k] + 1, cost[i][k - 1] + 1, cost[i - 1][k - 1] + !same});
        if (i > 1 && k > 1 && word[i - 1] == candidate[k - 2] && word[i - 2] == candidate[k - 1]) {
          cost[i][k] = std::min(cost[i][k], cost[i - 2][k - 2] + 1);
        }
      }
    }
    if (cost[word.size()][candidate.size()] < least) {
      least = cost[word.size()][candidate.size()];
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace eddy
