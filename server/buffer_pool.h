// Output buffers that no connection needs at the moment. A turn fills many of them and the end of
// the turn empties them all, so the same few serve every turn: their pages are in the processor's
// caches and were paid for once (a first touch costs more than a read of a key), and a connection
// that once had much to say hoards nothing. Loop thread only.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace eddy::server {

class BufferPool {
 public:
  // What is larger is not kept, and no more of them.
  static constexpr size_t kBufferBytesMax = 1024 * 1024;
  static constexpr size_t kBytesMax = 4 * 1024 * 1024;

  // A buffer that has no memory of its own gets some, if there is any here.
  void Lend(std::string* buffer) {
    if (buffer->capacity() > std::string().capacity() || idle_.empty()) return;
    bytes_ -= idle_.back().capacity();
    *buffer = std::move(idle_.back());
    idle_.pop_back();
  }
  // Empties the buffer, which has no memory afterwards.
  void TakeBack(std::string* buffer) {
    buffer->clear();
    const size_t bytes = buffer->capacity();
    if (bytes > std::string().capacity() && bytes <= kBufferBytesMax &&
        bytes_ + bytes <= kBytesMax) {
      bytes_ += bytes;
      idle_.push_back(std::move(*buffer));
    }
    std::string().swap(*buffer);  // assigning an empty one would keep the memory
  }

  // That are kept here.
  size_t bytes() const { return bytes_; }

 private:
  std::vector<std::string> idle_;
  size_t bytes_ = 0;
};

}  // namespace eddy::server
