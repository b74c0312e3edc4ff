#include "server/input_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace eddy::server {

char* InputBuffer::Room(size_t bytes, size_t* room) {
  if (capacity_ - end_ < bytes) {
    const size_t held = size();
    if (capacity_ - held >= bytes && held <= capacity_ / 2) {
      std::memmove(bytes_.get(), bytes_.get() + begin_, held);
    } else {
      const size_t grown = std::max({2 * capacity_, held + bytes, size_t{4096}});
      auto larger = std::make_unique_for_overwrite<char[]>(grown);
      if (held > 0) std::memcpy(larger.get(), bytes_.get() + begin_, held);
      bytes_ = std::move(larger);
      capacity_ = grown;
    }
    begin_ = 0;
    end_ = held;
  }
  *room = capacity_ - end_;
  return bytes_.get() + end_;
}

void InputBuffer::Append(std::string_view bytes) {
  if (bytes.empty()) return;
  size_t room = 0;
  std::memcpy(Room(bytes.size(), &room), bytes.data(), bytes.size());
  Filled(bytes.size());
}

void InputBuffer::Take(size_t bytes) {
  CHECK(bytes <= size());
  begin_ += bytes;
  if (!empty()) return;
  begin_ = end_ = 0;
  if (capacity_ > kKeptBytes) {
    bytes_.reset();
    capacity_ = 0;
  }
}

}  // namespace eddy::server
