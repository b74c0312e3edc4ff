#include "tools/key_chooser.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"

namespace eddy::tools {

namespace {

struct NamedDistribution {
  std::string_view name;
  KeyDistribution distribution;
};

constexpr NamedDistribution kDistributions[] = {{"uniform", KeyDistribution::kUniform},
                                                {"zipfian", KeyDistribution::kZipfian},
                                                {"latest", KeyDistribution::kLatest}};

}  // namespace

std::string_view NameOf(KeyDistribution distribution) {
  return std::ranges::find(kDistributions, distribution, &NamedDistribution::distribution)->name;
}

std::optional<KeyDistribution> KeyDistributionOf(std::string_view name) {
  const auto* found = std::ranges::find(kDistributions, name, &NamedDistribution::name);
  if (found == std::end(kDistributions)) return std::nullopt;
  return found->distribution;
}

KeyChooser::KeyChooser(KeyDistribution distribution, uint64_t keys, uint64_t seed)
    : distribution_(distribution),
      keys_(keys),
      places_(keys, seed),
      random_(seed),
      ranks_(keys),
      present_(keys),
      next_(keys) {}

uint64_t KeyChooser::Choose() {
  switch (distribution_) {
    case KeyDistribution::kUniform:
      return random_.Below(keys_);
    case KeyDistribution::kZipfian:
      return places_.At(ranks_.Next(&random_));
    case KeyDistribution::kLatest:
      ranks_.SetItems(present_);
      return present_ - 1 - ranks_.Next(&random_);
  }
  return 0;
}

uint64_t KeyChooser::Insert() {
  if (failed_.empty()) return next_++;
  const uint64_t key = failed_.back();
  failed_.pop_back();
  return key;
}

void KeyChooser::Inserted(uint64_t key) {
  CHECK(key >= present_ && key < next_);
  ahead_.insert(key);
  while (!ahead_.empty() && *ahead_.begin() == present_) {
    ahead_.erase(ahead_.begin());
    present_++;
  }
}

void KeyChooser::InsertFailed(uint64_t key) {
  CHECK(key >= present_ && key < next_);
  failed_.push_back(key);
}

}  // namespace eddy::tools
