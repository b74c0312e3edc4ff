// Did you mean: the known word nearest to one that is not known, for errors about command lines
// and configuration.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace eddy {

// The candidate that `word` was probably meant to be: the one that the fewest insertions,
// deletions, changes and swaps of neighbours turn it into; nothing when that takes more than a
// third of its letters. The first of equals. For words of some dozens of letters.
std::optional<std::string> Nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace eddy
