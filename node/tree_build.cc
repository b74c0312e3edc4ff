#include "node/tree_build.h"

#include <algorithm>

#include "storage/hash_tree.h"
#include "storage/key.h"

namespace eddy::node {

using storage::BuildVerb;
using storage::HashTree;

TreeBuild::TreeBuild(unsigned partition_bits, Duration again_after)
    : partition_bits_(partition_bits),
      again_after_(again_after),
      states_(size_t{1} << partition_bits) {}

void TreeBuild::Relay(MonotonicTime now, const std::vector<uint32_t>& partitions) {
  for (uint32_t partition = 0; partition < states_.size(); ++partition) {
    State& state = states_[partition];
    const bool wanted = std::ranges::binary_search(partitions, partition);
    if (std::exchange(state.wanted, wanted) == wanted || building_ == partition) continue;
    if (wanted) {
      if (!state.known) state.due = now;
      queue_.emplace(state.due, partition);
    } else {
      queue_.erase({state.due, partition});
    }
  }
}

void TreeBuild::Want(MonotonicTime now, uint32_t partition) {
  State& state = states_[partition];
  if (std::exchange(state.wanted, true) || building_ == partition) return;
  if (!state.known) state.due = now;
  queue_.emplace(state.due, partition);
}

size_t TreeBuild::wanted() const {
  return static_cast<size_t>(std::ranges::count_if(states_, &State::wanted));
}

size_t TreeBuild::missing() const {
  return static_cast<size_t>(std::ranges::count_if(
      states_, [](const State& state) { return state.wanted && !state.known; }));
}

std::optional<storage::StoreVerb> TreeBuild::Next(OpContext& context) {
  if (under_way_) return std::nullopt;
  if (!building_) {
    if (queue_.empty() || queue_.begin()->first > context.now.monotonic) return std::nullopt;
    building_ = queue_.begin()->second;
    queue_.erase(queue_.begin());
    step_ = Step::kBegin;
  }
  storage::StoreVerb verb;
  switch (step_) {
    case Step::kBegin:
      verb.action = BuildVerb{.step = BuildVerb::Step::kBegin, .partition = *building_};
      from_ = storage::FirstKeyOf(storage::TokensOfLeaf(*building_, 0, partition_bits_).first);
      break;
    case Step::kScan:
      if (!context.budget.Take(context.now.monotonic, kPageBytes)) return std::nullopt;
      verb.key = from_;
      verb.action = storage::ScanVerb{
          .end = storage::FirstKeyAfter(
              storage::TokensOfLeaf(*building_, HashTree::kLeaves - 1, partition_bits_).last),
          .rows_max = kPageRows,
          .bytes_max = kPageBytes,
          .digests_only = true};
      break;
    case Step::kFeed:
      verb.action = BuildVerb{.step = BuildVerb::Step::kFeed,
                              .partition = *building_,
                              .rows = std::move(page_),
                              .next = from_};
      page_.clear();
      break;
    case Step::kFinish:
      verb.action = BuildVerb{.step = BuildVerb::Step::kFinish, .partition = *building_};
      break;
  }
  under_way_ = true;
  return verb;
}

void TreeBuild::OnStep(OpContext& context, storage::StoreResult result) {
  under_way_ = false;
  if (step_ == Step::kScan) {
    size_t read = 0;
    for (const storage::ScannedRow& row : result.rows) read += row.key.size() + row.bytes;
    context.budget.Return(kPageBytes, read);
  }
  if (!result.record) return Ended(context, false);
  switch (step_) {
    case Step::kBegin:
      step_ = Step::kScan;
      break;
    case Step::kScan:
      page_ = std::move(result.rows);
      from_ = std::move(result.next);
      step_ = Step::kFeed;
      break;
    case Step::kFeed:
      step_ = from_.empty() ? Step::kFinish : Step::kScan;
      break;
    case Step::kFinish:
      context.counters.Add(Count::kTreesBuilt);
      return Ended(context, true);
  }
}

void TreeBuild::Ended(OpContext& context, bool built) {
  const MonotonicTime now = context.now.monotonic;
  const uint32_t partition = *std::exchange(building_, std::nullopt);
  State& state = states_[partition];
  if (built && !std::exchange(state.known, true)) ++known_;
  state.due = !built                       ? now + kPause
              : again_after_ == Duration{} ? MonotonicTime::max()
                                           : now + again_after_;
  if (state.wanted) queue_.emplace(state.due, partition);
}

void TreeBuild::Forgotten(MonotonicTime now, uint32_t partition) {
  State& state = states_[partition];
  if (!std::exchange(state.known, false)) return;  // and so it is queued, or being built
  --known_;
  if (building_ == partition || !state.wanted) return;
  queue_.erase({state.due, partition});
  state.due = now;
  queue_.emplace(state.due, partition);
}

}  // namespace eddy::node
