#include "gossip/broadcasts.h"

#include <algorithm>
#include <iterator>

#include "gossip/update_codec.h"

namespace eddy::gossip {

namespace {

// Below this no update fits: an id, an incarnation, a liveness and the shortest address.
constexpr size_t kUpdateBytesMin = 16 + 1 + 1 + 3;

}  // namespace

void Broadcasts::Push(Update update) {
  const NodeId id = update.member.id;
  if (const auto found = places_.find(id); found != places_.end()) {
    Erase(found->second);
  } else if (queue_.size() >= updates_max_) {
    Erase(std::prev(queue_.end())->first);
  }
  const Place place{0, next_age_--};
  places_[id] = place;
  queue_.emplace(place, std::move(update));
}

void Broadcasts::Take(size_t bytes_max, unsigned transmits_max, std::vector<Update>* packet) {
  std::vector<Place> taken;
  for (const auto& [place, update] : queue_) {
    if (bytes_max < kUpdateBytesMin) break;
    const size_t bytes = UpdateBytes(update);
    const bool known = std::ranges::any_of(
        *packet, [&](const Update& other) { return other.member.id == update.member.id; });
    if (bytes > bytes_max || known) continue;
    bytes_max -= bytes;
    packet->push_back(update);
    taken.push_back(place);
  }
  for (const Place& place : taken) {
    if (place.first + 1 >= transmits_max) {
      Erase(place);
      continue;
    }
    const Place next{place.first + 1, place.second};
    auto node = queue_.extract(place);
    places_[node.mapped().member.id] = next;
    node.key() = next;
    queue_.insert(std::move(node));
  }
}

void Broadcasts::Erase(Place place) {
  const auto found = queue_.find(place);
  places_.erase(found->second.member.id);
  queue_.erase(found);
}

}  // namespace eddy::gossip
