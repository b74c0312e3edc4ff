// Makes the hash trees of this node's partitions known (storage/tree_keeper.h): after a start, when
// the store has forgotten them, and now and then anew, since what is only kept up can drift. One
// partition at a time, a page at a time, within the background budget.
//
//   begin ─▶ scan a page ─▶ feed it ─┬▶ finish: known, until it is built anew
//                 ▲─── more rows ────┘
//
// A step that fails, or a partition in which too much changed meanwhile, is tried again later.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "node/operation.h"
#include "storage/store.h"

namespace eddy::node {

// One step on its way through the store: an operation of the node.
struct TreeStep {};

class TreeBuild {
 public:
  // `again_after`: a tree of this age is built anew; zero: never.
  TreeBuild(unsigned partition_bits, Duration again_after);

  // From now on these partitions, ascending. Trees that are known stay so.
  void Relay(MonotonicTime now, const std::vector<uint32_t>& partitions);

  // And this one, until the next Relay.
  void Want(MonotonicTime now, uint32_t partition);

  // The verb of the next step, which is then under way until OnStep; nullopt: nothing now.
  std::optional<storage::StoreVerb> Next(OpContext& context);
  void OnStep(OpContext& context, storage::StoreResult result);

  // The store said that it does not know this one.
  void Forgotten(MonotonicTime now, uint32_t partition);

  size_t known() const { return known_; }
  // Of how many partitions the tree is wanted, and of how many of those it is not known.
  size_t wanted() const;
  size_t missing() const;

 private:
  static constexpr uint32_t kPageRows = 1024;
  static constexpr size_t kPageBytes = size_t{256} << 10;
  static constexpr Duration kPause = std::chrono::seconds(1);

  enum class Step : uint8_t { kBegin, kScan, kFeed, kFinish };
  struct State {
    bool wanted = false;
    bool known = false;
    MonotonicTime due;
  };

  void Ended(OpContext& context, bool built);

  const unsigned partition_bits_;
  const Duration again_after_;
  std::vector<State> states_;  // by partition
  std::set<std::pair<MonotonicTime, uint32_t>> queue_;
  size_t known_ = 0;

  std::optional<uint32_t> building_;
  bool under_way_ = false;
  Step step_ = Step::kBegin;
  std::string from_;  // where the next page begins
  std::vector<storage::ScannedRow> page_;
};

}  // namespace eddy::node
