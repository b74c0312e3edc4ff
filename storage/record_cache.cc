#include "storage/record_cache.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/check.h"
#include "storage/key.h"

namespace eddy::storage {

namespace {

// What a small record takes with its key: there are at least as many slots as these would need.
constexpr size_t kEntryBytesUsual = 160;
// Of what the allocator adds.
constexpr size_t kAllocationBytes = 16;
// Values change a little in length; a record that grows by less stays where it is.
constexpr size_t kRoomBytes = 16;

}  // namespace

void RecordCache::Freed::operator()(Slot* slots) const { std::free(slots); }

RecordCache::RecordCache(size_t bytes_max) {
  const size_t slots = bytes_max / (kEntryBytesUsual + sizeof(Slot));
  if (slots < 8) return;
  slots_size_ = std::bit_ceil(std::min(slots, size_t{1} << 32));
  mask_ = slots_size_ - 1;
  // By the golden section, whose multiples lie as far apart as can be.
  stride_ = static_cast<size_t>(static_cast<double>(slots_size_) * 0.6180339887498949) | 1;
  bytes_max_ = bytes_max - slots_size_ * sizeof(Slot);
  // From calloc, so that what is never used is never touched, and takes no memory.
  slots_.reset(static_cast<Slot*>(std::calloc(slots_size_, sizeof(Slot))));
  CHECK(slots_ != nullptr);
}

RecordCache::~RecordCache() { Clear(); }

void RecordCache::Clear() {
  for (size_t slot = 0; records_ > 0; ++slot) {
    Slot& cleared = slots_[slot];
    if (cleared.entry == nullptr) continue;
    ::operator delete(cleared.entry);
    cleared = Slot{};
    --records_;
  }
  bytes_ = 0;
}

uint32_t RecordCache::HashOf(std::string_view key) {
  // The token's upper half says where on the ring the key lies, and this node has a part of it.
  return static_cast<uint32_t>(TokenOfKey(key));
}

size_t RecordCache::LongestRun() const {
  size_t longest = 0;
  size_t run = 0;
  for (size_t slot = 0; slot < slots_size_; ++slot) {
    run = slots_[slot].entry == nullptr ? 0 : run + 1;
    longest = std::max(longest, run);
  }
  return longest;
}

size_t RecordCache::BytesOf(const Entry& entry) {
  return sizeof(Entry) + entry.key_bytes + entry.record_bytes_max + kAllocationBytes;
}

size_t RecordCache::Seek(std::string_view key, uint32_t hash) {
  size_t slot = hash & mask_;
  while (slots_[slot].entry != nullptr &&
         (slots_[slot].hash != hash || slots_[slot].entry->key_view() != key)) {
    slot = (slot + 1) & mask_;
  }
  return slot;
}

bool RecordCache::Find(std::string_view key, Found* found) {
  if (records_ == 0) return false;
  Slot& slot = slots_[Seek(key, HashOf(key))];
  if (slot.entry == nullptr) return false;
  slot.found = true;
  *found = {{slot.entry->record(), slot.entry->record_bytes}, slot.entry->remembered_since};
  return true;
}

void RecordCache::Put(std::string_view key, std::string_view record, uint64_t remembered_since) {
  const size_t wanted = sizeof(Entry) + key.size() + record.size() + kRoomBytes + kAllocationBytes;
  if (wanted > std::min(bytes_max_, kEntryBytesMax)) return Erase(key);
  const uint32_t hash = HashOf(key);
  size_t slot = Seek(key, hash);
  bool found = false;
  if (Entry* there = slots_[slot].entry; there != nullptr) {
    if (record.size() <= there->record_bytes_max &&
        record.size() + 4 * kRoomBytes >= there->record_bytes_max) {
      std::memcpy(there->record(), record.data(), record.size());
      there->record_bytes = static_cast<uint32_t>(record.size());
      there->remembered_since = remembered_since;
      return;
    }
    found = slots_[slot].found;
    EraseSlot(slot);
  }
  // The table keeps a quarter of its slots free, so that searches end soon.
  while (bytes_ + wanted > bytes_max_ || records_ >= slots_size_ - slots_size_ / 4) ForgetOne();
  void* memory = ::operator new(wanted - kAllocationBytes);
  auto* entry =
      new (memory) Entry{.remembered_since = remembered_since,
                         .key_bytes = static_cast<uint32_t>(key.size()),
                         .record_bytes = static_cast<uint32_t>(record.size()),
                         .record_bytes_max = static_cast<uint32_t>(record.size() + kRoomBytes)};
  std::memcpy(entry->key(), key.data(), key.size());
  std::memcpy(entry->record(), record.data(), record.size());
  // Others may have moved since.
  slot = Seek(key, hash);
  slots_[slot] = Slot{.entry = entry, .hash = hash, .found = found};
  ++records_;
  bytes_ += wanted;
}

void RecordCache::Erase(std::string_view key) {
  if (records_ == 0) return;
  const size_t slot = Seek(key, HashOf(key));
  if (slots_[slot].entry != nullptr) EraseSlot(slot);
}

void RecordCache::EraseSlot(size_t slot) {
  Entry* entry = slots_[slot].entry;
  bytes_ -= BytesOf(*entry);
  --records_;
  ::operator delete(entry);
  // Those that follow close the gap, unless they are at home beyond it.
  size_t gap = slot;
  for (size_t next = (gap + 1) & mask_; slots_[next].entry != nullptr; next = (next + 1) & mask_) {
    const size_t home = slots_[next].hash & mask_;
    if (((next - home) & mask_) < ((next - gap) & mask_)) continue;
    slots_[gap] = slots_[next];
    gap = next;
  }
  slots_[gap] = Slot{};
}

void RecordCache::ForgetOne() {
  for (;; hand_ = (hand_ + stride_) & mask_) {
    Slot& slot = slots_[hand_];
    if (slot.entry == nullptr) continue;
    if (!slot.found) return EraseSlot(hand_);
    slot.found = false;
  }
}

}  // namespace eddy::storage
