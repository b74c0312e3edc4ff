// The hash trees of a store, one for each partition and number of replicas (buckets differ in that,
// and so do the owners that compare), kept true with every change of a record. A partition's trees
// are unknown until they are built from a scan, which goes on while records change:
//
//   Begin ── pages of the scan ── Feed, in key order ── Finish: known
//
// What is known stays so, and is kept true, while it is built anew. A key that changes ahead of the
// pages is left out of them and read at the end; one behind them is changed in the tree at once.
// What is counted is thereby counted once, whatever a page's snapshot had seen. Part of the store,
// on its thread; deterministic.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "storage/hash_tree.h"

namespace eddy::storage {

class TreeKeeper {
 public:
  struct Options {
    unsigned partition_bits = 8;
    // How many replicas the keys of a bucket have.
    std::function<uint8_t(std::string_view bucket)> replicas_of;
    // Keys that change while one partition is scanned. Beyond: that scan was for nothing, and the
    // next one may have better luck.
    size_t changed_max = 16 * 1024;
  };

  explicit TreeKeeper(Options options);

  // A record changed. Encoded; empty: there was, or is, none. Requires a key of storage/key.h.
  void Change(std::string_view key, std::string_view before, std::string_view after);
  // Something changed that was not told: nothing is known any more.
  void ForgetAll();
  // The row of this key cannot be read. It is as good as missing, so its partition is unknown until
  // it is built anew without it: the comparison with the other owners then finds it, and what they
  // send mends it. Only the first time, or reads of the row would keep the tree from being known;
  // of more than kRottenMax in a partition those beyond do that until others are mended.
  void FoundRotten(std::string_view key);

  // Building. `changing`: keys whose newest change a scan may not see yet.
  void Begin(uint32_t partition, const std::vector<std::string>& changing);
  struct Row {
    std::string key;
    Digest record;
  };
  // The rows up to `next`, in order; `next` is empty when these were the last.
  void Feed(uint32_t partition, const std::vector<Row>& rows, std::string_view next);
  // The keys to read before Finish: what is there of them now is told by Settle, for those that
  // have a record.
  std::vector<std::string> Unsettled(uint32_t partition) const;
  void Settle(std::string_view key, const Digest& record);
  // False: the build had been given up.
  bool Finish(uint32_t partition);

  // Of the key's bucket.
  uint8_t ReplicasOf(std::string_view key) const;
  bool IsKnown(uint32_t partition) const { return partitions_[partition].known; }
  size_t known() const;
  size_t size() const { return partitions_.size(); }
  // Null unless known.
  const HashTree* Find(uint32_t partition, uint8_t n) const;

 private:
  using Trees = std::map<uint8_t, HashTree>;  // by the number of replicas
  struct Build {
    Trees trees;
    // Pages before this key were fed; empty: none, or (at_end) all.
    std::string fed_up_to;
    bool at_end = false;
    std::set<std::string, std::less<>> changed;
  };
  struct Partition {
    bool known = false;
    Trees trees;
    std::optional<Build> build;
    std::set<std::string, std::less<>> rotten;  // left out of the trees
  };

  uint32_t PartitionOf(std::string_view key) const;
  // A record of this key came or went: by its TreeDigest, or those of several.
  void Toggle(Trees* trees, std::string_view key, const Digest& bound) const;

  static constexpr size_t kRottenMax = 16 * 1024;

  const Options options_;
  const HashTree empty_;
  std::vector<Partition> partitions_;
};

}  // namespace eddy::storage
