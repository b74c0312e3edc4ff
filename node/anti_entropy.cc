#include "node/anti_entropy.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace eddy::node {

namespace {

auto NameOf(const AntiEntropy::Task& task) { return std::tuple(task.partition, task.n, task.peer); }

Duration Growing(Duration pause, uint32_t misses) { return pause * (1 << std::min(misses, 10u)); }

}  // namespace

void AntiEntropy::Relay(MonotonicTime now, const Topology& topology, const Peers& peers,
                        const std::vector<uint8_t>& counts) {
  const std::vector<Task> before = std::exchange(tasks_, {});
  partitions_.clear();
  queue_.clear();
  under_way_ = 0;
  if (fills_ == 0) filling_since_.reset();
  fills_ = 0;
  fill_from_.reset();
  for (uint32_t partition = 0; partition < topology.layout().partition_count(); ++partition) {
    bool owned = false;
    for (const uint8_t n : counts) {
      const auto owners = topology.Owners(ring::PartitionId{partition}, n);
      if (std::ranges::find(owners, kSelf) == owners.end()) continue;
      owned = true;
      const auto sources = topology.Sources(ring::PartitionId{partition}, n);
      for (const PeerIndex peer : owners) {
        if (peer == kSelf || !topology.IsMember(peer)) continue;
        Task task{.partition = partition, .n = n, .peer = peer, .due = now};
        const auto known = std::ranges::lower_bound(before, NameOf(task), {}, NameOf);
        if (known != before.end() && NameOf(*known) == NameOf(task)) {
          task.equal_at = known->equal_at;
          task.levelled_at = known->levelled_at;
          task.asked = known->asked;
          if (!known->under_way) task.due = known->due;
        }
        task.source = std::ranges::find(sources, peer) != sources.end();
        if (task.source && known != before.end() && NameOf(*known) == NameOf(task)) {
          task.records = known->records;
          task.bytes = known->bytes;
        }
        task.begins = task.source || peers.IdOf(kSelf) < peers.IdOf(peer);
        fills_ += task.source ? 1 : 0;
        if (task.source || !IsMended(task)) task.due = now;
        tasks_.push_back(task);
      }
    }
    if (owned) partitions_.push_back(partition);
  }
  std::ranges::sort(tasks_, {}, NameOf);
  for (size_t index = 0; index < tasks_.size(); ++index) {
    const Task& task = tasks_[index];
    const bool goes_on = task.source || !IsMended(task) || (task.begins && enabled());
    if (goes_on) queue_.emplace(task.due, index);
  }
}

void AntiEntropy::BeginFill(MonotonicTime now) {
  fill_from_ = now;
  for (size_t index = 0; index < tasks_.size(); ++index) {
    Task& task = tasks_[index];
    if (!task.source) continue;
    task.misses = 0;
    if (task.under_way) {
      task.again = true;
    } else {
      Postpone(index, now);
    }
  }
}

void AntiEntropy::Mend(MonotonicTime now, uint32_t partition) {
  mending_[partition] = now;
  for (size_t index = 0; index < tasks_.size(); ++index) {
    Task& task = tasks_[index];
    if (task.partition != partition) continue;
    task.misses = 0;
    if (task.under_way) {
      task.again = true;
    } else {
      Postpone(index, now);
    }
  }
}

AntiEntropy::Mended AntiEntropy::IsMended(uint32_t partition) const {
  // Of what is not this node's any more, nobody asks it.
  const bool owned = std::ranges::binary_search(partitions_, partition);
  Mended mended = owned ? Mended::kNobodyElse : Mended::kLevel;
  for (const Task& task : tasks_) {
    if (task.partition != partition) continue;
    if (!IsMended(task)) return Mended::kNotYet;
    mended = Mended::kLevel;
  }
  return mended;
}

bool AntiEntropy::Filled() const { return fill_from_ && filled() == fills_; }

size_t AntiEntropy::filled() const {
  return static_cast<size_t>(std::ranges::count_if(
      tasks_, [&](const Task& task) { return task.source && IsFilled(task); }));
}

void AntiEntropy::Pulled(size_t task, size_t bytes) {
  if (!tasks_[task].source) return;
  ++tasks_[task].records;
  tasks_[task].bytes += bytes;
}

NodeFilling AntiEntropy::Filling(const Peers& peers) const {
  NodeFilling filling;
  if (fills_ == 0 || !filling_since_) return filling;
  filling.since = filling_since_;
  std::map<PeerIndex, FillSource> sources;
  // By partition: whether all its sources have given all that they had.
  std::map<uint32_t, bool> copied;
  std::map<uint32_t, bool> checked;
  for (const Task& task : tasks_) {
    if (!task.source) continue;
    const bool is_copied = task.levelled_at && *task.levelled_at >= *filling_since_;
    FillSource& source = sources[task.peer];
    source.from = peers.IdOf(task.peer);
    ++source.comparisons;
    source.copied += is_copied ? 1 : 0;
    source.checked += IsFilled(task) ? 1 : 0;
    source.records += task.records;
    source.bytes += task.bytes;
    copied.try_emplace(task.partition, true).first->second &= is_copied;
    checked.try_emplace(task.partition, true).first->second &= IsFilled(task);
  }
  for (const auto& [peer, source] : sources) filling.sources.push_back(source);
  const auto count = [](const std::map<uint32_t, bool>& done) {
    return static_cast<size_t>(
        std::ranges::count_if(done, [](const auto& entry) { return entry.second; }));
  };
  filling.partitions = copied.size();
  filling.copied = count(copied);
  filling.checked = count(checked);
  return filling;
}

void AntiEntropy::Postpone(size_t index, MonotonicTime due) {
  Task& task = tasks_[index];
  queue_.erase({task.due, index});
  task.due = due;
  queue_.emplace(due, index);
}

std::optional<size_t> AntiEntropy::Next(OpContext& context) {
  const MonotonicTime now = context.now.monotonic;
  // Not when it was found to be needed, which may be before the node knows the time.
  if (fills_ > 0 && !filling_since_) filling_since_ = now;
  while (under_way_ < kExchangesMax && !queue_.empty() && queue_.begin()->first <= now) {
    const size_t index = queue_.begin()->second;
    Task& task = tasks_[index];
    if (!context.peers.Reachable(task.peer)) {
      const bool soon = IsNeeded(task) || task.source || task.asked || !enabled();
      Postpone(index, now + (soon ? kPause : period_));
    } else if (!task.source && IsMended(task) &&
               context.hints.MayHold(context.peers.IdOf(task.peer))) {
      Postpone(index, now + (enabled() ? std::min(kPause, period_) : kPause));
    } else {
      queue_.erase(queue_.begin());
      task.under_way = true;
      ++under_way_;
      return index;
    }
  }
  return std::nullopt;
}

void AntiEntropy::Ended(OpContext& context, const SyncExchange& exchange) {
  const size_t index = exchange.setting().task;
  Task& task = tasks_[index];
  --under_way_;
  task.under_way = false;
  // Whoever waits to be filled tries on, whether it compares otherwise or not.
  const Duration period = IsNeeded(task) ? kPause * 8 : period_;
  Duration pause = period;
  switch (*exchange.outcome()) {
    case SyncExchange::Outcome::kEqual:
      context.counters.Add(Count::kSyncsEqual);
      task.equal_at = exchange.began_at();
      task.levelled_at = exchange.began_at();
      task.misses = 0;
      task.asked = task.asked && task.again;
      break;
    case SyncExchange::Outcome::kUnknownHere:
    case SyncExchange::Outcome::kUnknownThere:
      pause = std::min(period, kPause);
      break;
    case SyncExchange::Outcome::kLevelled:
      context.counters.Add(Count::kSyncsLevelled);
      task.levelled_at = exchange.began_at();
      pause = std::min(period, Growing(kSoon, task.misses++));
      break;
    case SyncExchange::Outcome::kFruitless:
      context.counters.Add(Count::kSyncsFruitless);
      pause = std::min(period, Growing(kSoon, task.misses++));
      break;
    case SyncExchange::Outcome::kFailed:
      context.counters.Add(Count::kSyncsFailed);
      pause = std::min(period, Growing(kPause, task.misses++));
      break;
  }
  const bool again = std::exchange(task.again, false);
  if (again) pause = {};
  if (!again && !IsNeeded(task) && (!enabled() || !task.begins)) {
    task.due = MonotonicTime::max();
    return;
  }
  task.due = context.now.monotonic + pause;
  queue_.emplace(task.due, index);
}

void AntiEntropy::FoundEqual(MonotonicTime now, uint32_t partition, uint8_t n, PeerIndex peer) {
  const auto found = std::ranges::lower_bound(tasks_, std::tuple(partition, n, peer), {}, NameOf);
  if (found != tasks_.end() && NameOf(*found) == std::tuple(partition, n, peer)) {
    found->equal_at = now;
  }
}

size_t AntiEntropy::Start(MonotonicTime now, std::optional<uint32_t> partition) {
  size_t begun = 0;
  if (asked_left() == 0) asked_ = 0;
  for (size_t index = 0; index < tasks_.size() && enabled(); ++index) {
    Task& task = tasks_[index];
    if (!task.begins || (partition && task.partition != *partition)) continue;
    ++begun;
    task.misses = 0;
    if (!std::exchange(task.asked, true)) ++asked_;
    if (task.under_way) {
      task.again = true;
    } else {
      Postpone(index, now);
    }
  }
  return begun;
}

size_t AntiEntropy::Stop(MonotonicTime now) {
  size_t stopped = 0;
  for (size_t index = 0; index < tasks_.size(); ++index) {
    Task& task = tasks_[index];
    if (!std::exchange(task.asked, false)) continue;
    ++stopped;
    if (!task.under_way && !IsNeeded(task)) Postpone(index, now + period_);
  }
  asked_ = 0;
  return stopped;
}

size_t AntiEntropy::asked_left() const {
  return static_cast<size_t>(std::ranges::count(tasks_, true, &Task::asked));
}

std::vector<SyncState> AntiEntropy::States() const {
  std::vector<SyncState> states;
  for (const Task& task : tasks_) {
    if (states.empty() || states.back().partition != task.partition) {
      states.push_back({.partition = task.partition,
                        .equal_at = MonotonicTime::max(),
                        .begun_equal_at = MonotonicTime::max()});
    }
    SyncState& state = states.back();
    state.equal_at = std::min(state.equal_at, task.equal_at);
    if (task.begins) state.begun_equal_at = std::min(state.begun_equal_at, task.equal_at);
    state.under_way |= task.under_way;
  }
  return states;
}

std::optional<MonotonicTime> AntiEntropy::EqualSince() const {
  std::optional<MonotonicTime> oldest = MonotonicTime::max();
  for (const Task& task : tasks_) oldest = std::min(oldest, task.equal_at);
  return oldest;
}

void AntiEntropy::PeerUp(MonotonicTime now, PeerIndex peer) {
  if (period_ == Duration{}) return;
  // Long enough for hints to be found and sent.
  const MonotonicTime due = now + std::min(period_ / 8, kPause * 8);
  for (size_t index = 0; index < tasks_.size(); ++index) {
    const Task& task = tasks_[index];
    if (task.peer == peer && (task.begins || IsNeeded(task)) && !task.under_way && task.due > due) {
      Postpone(index, due);
    }
  }
}

}  // namespace eddy::node
