#include "node/mender.h"

#include <utility>

#include "storage/hash_tree.h"

namespace eddy::node {

using storage::HashTree;
using storage::TokenRange;

Mender::Mender(unsigned partition_bits, const std::vector<TokenRange>& damaged)
    : partition_bits_(partition_bits), ranges_(damaged.begin(), damaged.end()) {
  for (const TokenRange range : damaged) {
    partitions_[PartitionOf(uint64_t{range} << (64 - storage::kTokenRangeBits))];
  }
}

uint32_t Mender::PartitionOf(uint64_t token) const {
  return partition_bits_ == 0 ? 0 : static_cast<uint32_t>(token >> (64 - partition_bits_));
}

bool Mender::Found(const storage::FoundDamage& damage) {
  const auto [found, fresh] = partitions_.try_emplace(PartitionOf(damage.token));
  State& state = found->second;
  if (!fresh && damage.number <= state.number) return false;
  state.number = damage.number;
  ranges_.insert(storage::TokenRangeOf(damage.token));
  return true;
}

std::vector<uint32_t> Mender::Partitions() const {
  std::vector<uint32_t> partitions;
  for (const auto& [partition, state] : partitions_) partitions.push_back(partition);
  return partitions;
}

std::optional<Mender::Start> Mender::Next(const AntiEntropy& anti_entropy) {
  for (auto& [partition, state] : partitions_) {
    if (state.as_of != 0) continue;
    const AntiEntropy::Mended mended = anti_entropy.IsMended(partition);
    if (mended == AntiEntropy::Mended::kNotYet) continue;
    state.as_of = state.number;
    return Start{
        .step = {partition},
        .verb = {
            .id = 0,
            .key = {},
            .action = storage::MendVerb{
                .first = storage::TokensOfLeaf(partition, 0, partition_bits_).first,
                .last =
                    storage::TokensOfLeaf(partition, HashTree::kLeaves - 1, partition_bits_).last,
                .as_of = state.as_of,
                .drop_bad = mended == AntiEntropy::Mended::kLevel}}};
  }
  return std::nullopt;
}

bool Mender::Ended(const MendStep& step, const storage::StoreResult& result) {
  const auto found = partitions_.find(step.partition);
  if (found == partitions_.end()) return true;
  State& state = found->second;
  const uint64_t as_of = std::exchange(state.as_of, 0);
  if (!result.record || state.number != as_of) return false;
  partitions_.erase(found);
  std::erase_if(ranges_, [&](TokenRange range) {
    return PartitionOf(uint64_t{range} << (64 - storage::kTokenRangeBits)) == step.partition;
  });
  return true;
}

void Mender::Relay() {
  for (auto& [partition, state] : partitions_) state.as_of = 0;
}

}  // namespace eddy::node
