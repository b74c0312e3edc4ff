#include "storage/tree_keeper.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "storage/key.h"
#include "storage/record_codec.h"

namespace eddy::storage {

TreeKeeper::TreeKeeper(Options options)
    : options_(std::move(options)), partitions_(size_t{1} << options_.partition_bits) {}

uint32_t TreeKeeper::PartitionOf(std::string_view key) const {
  if (options_.partition_bits == 0) return 0;
  return static_cast<uint32_t>(TokenOfKey(key) >> (64 - options_.partition_bits));
}

void TreeKeeper::Toggle(Trees* trees, std::string_view key, const Digest& bound) const {
  (*trees)[ReplicasOf(key)].Toggle(LeafOf(TokenOfKey(key), options_.partition_bits), bound);
}

uint8_t TreeKeeper::ReplicasOf(std::string_view key) const {
  const auto parts = DecodeKey(key);
  CHECK(parts.has_value());
  return options_.replicas_of(parts->bucket);
}

void TreeKeeper::Change(std::string_view key, std::string_view before, std::string_view after) {
  Partition& partition = partitions_[PartitionOf(key)];
  if (const auto mended = partition.rotten.find(key); mended != partition.rotten.end()) {
    partition.rotten.erase(mended);
  }
  bool build = partition.build.has_value();
  if (build) {
    Build& building = *partition.build;
    if (!building.at_end && key >= building.fed_up_to) building.changed.emplace(key);
    build = !building.changed.contains(key);
    if (building.changed.size() > options_.changed_max) partition.build.reset();
  }
  if (!partition.known && !build) return;
  const Digest key_digest = Hash128(key);
  Digest change;
  if (!before.empty()) change ^= TreeDigest(key_digest, RecordDigest(before));
  if (!after.empty()) change ^= TreeDigest(key_digest, RecordDigest(after));
  if (partition.known) Toggle(&partition.trees, key, change);
  if (build) Toggle(&partition.build->trees, key, change);
}

void TreeKeeper::ForgetAll() {
  for (Partition& partition : partitions_) partition = Partition();
}

void TreeKeeper::FoundRotten(std::string_view key) {
  Partition& partition = partitions_[PartitionOf(key)];
  if (partition.rotten.contains(key)) return;
  if (partition.rotten.size() < kRottenMax) partition.rotten.emplace(key);
  partition.known = false;
  partition.trees.clear();
  partition.build.reset();
}

void TreeKeeper::Begin(uint32_t partition, const std::vector<std::string>& changing) {
  Build& begun = partitions_[partition].build.emplace(Build());
  for (const std::string& key : changing) {
    if (PartitionOf(key) == partition) begun.changed.insert(key);
  }
}

void TreeKeeper::Feed(uint32_t partition, const std::vector<Row>& rows, std::string_view next) {
  auto& build = partitions_[partition].build;
  if (!build) return;
  for (const Row& row : rows) {
    if (PartitionOf(row.key) == partition && !build->changed.contains(row.key)) {
      Toggle(&build->trees, row.key, TreeDigest(row.key, row.record));
    }
  }
  build->fed_up_to = next;
  build->at_end = next.empty();
}

std::vector<std::string> TreeKeeper::Unsettled(uint32_t partition) const {
  const auto& build = partitions_[partition].build;
  if (!build) return {};
  return {build->changed.begin(), build->changed.end()};
}

void TreeKeeper::Settle(std::string_view key, const Digest& record) {
  auto& build = partitions_[PartitionOf(key)].build;
  if (build) Toggle(&build->trees, key, TreeDigest(key, record));
}

bool TreeKeeper::Finish(uint32_t partition) {
  Partition& built = partitions_[partition];
  if (!built.build || !built.build->at_end) return false;
  built.trees = std::move(built.build->trees);
  built.known = true;
  built.build.reset();
  return true;
}

size_t TreeKeeper::known() const {
  return static_cast<size_t>(std::ranges::count(partitions_, true, &Partition::known));
}

const HashTree* TreeKeeper::Find(uint32_t partition, uint8_t n) const {
  const Partition& found = partitions_[partition];
  if (!found.known) return nullptr;
  const auto tree = found.trees.find(n);
  return tree == found.trees.end() ? &empty_ : &tree->second;
}

}  // namespace eddy::storage
