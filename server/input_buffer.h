// What a socket has read and nobody has used yet. Reading appends at the end, using takes from the
// front, and the rest moves only when room is needed. The bytes start 8-byte aligned as long as
// multiples of 8 are taken, as FlatBuffers frames need it.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

namespace eddy::server {

class InputBuffer {
 public:
  // Memory that an empty buffer may keep: there are as many as connections.
  static constexpr size_t kKeptBytes = 4 * 1024;

  std::string_view view() const { return {bytes_.get() + begin_, end_ - begin_}; }
  size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  // What it takes, used or not.
  size_t memory_bytes() const { return capacity_; }

  // At least `bytes` of room behind what is held, and how much there is; Filled says how much of
  // it was used.
  char* Room(size_t bytes, size_t* room);
  void Filled(size_t bytes) { end_ += bytes; }
  void Append(std::string_view bytes);
  // Drops `bytes` from the front.
  void Take(size_t bytes);

 private:
  std::unique_ptr<char[]> bytes_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace eddy::server
