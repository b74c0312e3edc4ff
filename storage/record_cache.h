// Records that were read or written lately, as bytes, in front of the engine: a write reads what it
// merges with, and the engine's skip lists, blocks and checksums cost ten times what the merge
// does. Holds what the engine holds or nothing, never absence; whoever changes a row behind the
// store's back has to Erase it.
//
// Bounded in bytes, its own tables included. When full it forgets by the clock: a record that was
// found since the hand came by last stays for one more round. The hand goes from slot to slot in
// wide strides. Were it to go along the table, the slots before it would all be taken, half of the
// table in one run, and each search there would go to that run's end. A token is hash enough, since
// it is the hash of its key. Part of the store, on its thread; deterministic.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

namespace eddy::storage {

class RecordCache {
 public:
  // What is larger, key and record together, is not kept.
  static constexpr size_t kEntryBytesMax = 64 * 1024;

  // Keeps nothing when `bytes_max` is too small for anything.
  explicit RecordCache(size_t bytes_max);
  ~RecordCache();
  RecordCache(const RecordCache&) = delete;
  RecordCache& operator=(const RecordCache&) = delete;

  struct Found {
    std::string_view record;  // until the next call of Put or Erase
    uint64_t remembered_since = 0;
  };
  // Whether the record of this key (storage/key.h) is here.
  bool Find(std::string_view key, Found* found);
  void Put(std::string_view key, std::string_view record, uint64_t remembered_since);
  void Erase(std::string_view key);
  void Clear();

  size_t records() const { return records_; }
  size_t bytes() const { return bytes_; }
  // The most slots in a row of which none is free, which a search goes through. For tests: looks at
  // all of them.
  size_t LongestRun() const;

 private:
  // Followed in memory by the key and room for the record.
  struct Entry {
    uint64_t remembered_since;
    uint32_t key_bytes;
    uint32_t record_bytes;
    uint32_t record_bytes_max;

    char* key() { return reinterpret_cast<char*>(this + 1); }
    char* record() { return key() + key_bytes; }
    std::string_view key_view() { return {key(), key_bytes}; }
  };
  // Open addressing: an entry is at its home or after it, with no free slot between.
  struct Slot {
    Entry* entry;  // null: free
    uint32_t hash;
    bool found;  // since the hand came by
  };
  struct Freed {
    void operator()(Slot* slots) const;
  };

  static uint32_t HashOf(std::string_view key);
  static size_t BytesOf(const Entry& entry);
  // The slot of the key, or the free one where it would be.
  size_t Seek(std::string_view key, uint32_t hash);
  void EraseSlot(size_t slot);
  void ForgetOne();

  size_t slots_size_ = 0;  // a power of two; 0: nothing is kept
  size_t mask_ = 0;
  size_t bytes_max_ = 0;  // of entries
  std::unique_ptr<Slot[], Freed> slots_;

  size_t records_ = 0;
  size_t bytes_ = 0;
  size_t hand_ = 0;
  size_t stride_ = 1;  // odd, so that the hand comes by every slot
};

}  // namespace eddy::storage
