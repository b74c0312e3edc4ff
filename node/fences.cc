#include "node/fences.h"

#include <algorithm>
#include <utility>

namespace eddy::node {

Fences::Fence* Fences::Find(MonotonicTime now, PeerIndex asker, uint64_t id) {
  const auto found = fences_.find(asker);
  if (found == fences_.end() && fences_.size() >= kFencesMax) return nullptr;
  Fence& fence = found == fences_.end() ? fences_[asker] : found->second;
  if (fence.id > id) return nullptr;
  if (fence.id < id) fence = Fence{.id = id, .version = {}, .give_up_at = now + kFenceMax};
  return &fence;
}

void Fences::Begin(MonotonicTime now, PeerIndex asker, uint64_t id, uint64_t version,
                   std::vector<uint64_t> under_way) {
  Fence* fence = Find(now, asker, id);
  if (fence == nullptr || fence->version) return;
  fence->version = version;
  fence->under_way = std::move(under_way);
}

void Fences::Passed(MonotonicTime now, PeerIndex asker, uint64_t id, PeerIndex by) {
  if (Fence* fence = Find(now, asker, id)) fence->passed.insert(by);
}

std::vector<Fences::Answer> Fences::Advance(OpContext& context, const Topology& topology) {
  std::vector<Answer> answers;
  for (auto next = fences_.begin(); next != fences_.end();) {
    const auto entry = next++;
    Fence& fence = entry->second;
    const bool other_layout =
        fence.version && (!topology.settled() || topology.newest().version() != *fence.version);
    if (context.now.monotonic >= fence.give_up_at || other_layout) {
      fences_.erase(entry);
      continue;
    }
    if (!fence.version || !fence.under_way.empty()) continue;
    if (!std::exchange(fence.told, true)) {
      for (const PeerIndex other : topology.others()) {
        context.Send(other,
                     wire::FencePassed{.op = fence.id, .asker = context.peers.IdOf(entry->first)});
      }
    }
    const bool all = std::ranges::all_of(
        topology.others(), [&](PeerIndex other) { return fence.passed.contains(other); });
    if (!all) continue;
    answers.push_back({entry->first, fence.id});
    fences_.erase(entry);
  }
  return answers;
}

}  // namespace eddy::node
