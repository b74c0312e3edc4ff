// Hash128 of bytes that come piece by piece, such as those of a file. One thread.
#pragma once

#include <memory>
#include <string_view>

#include "base/hash.h"

namespace eddy {

class StreamHash {
 public:
  StreamHash();
  ~StreamHash();
  StreamHash(StreamHash&&) noexcept;
  StreamHash& operator=(StreamHash&&) noexcept;

  void Add(std::string_view bytes);
  // Of all that was added: what Hash128 says of it as one piece.
  Digest digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace eddy
