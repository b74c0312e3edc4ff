// The keys of a cluster from the lists of its nodes: each node lists what it holds in the order of
// the ring, page by page, and most keys are on several nodes. The merge gives each key once, in
// that order, and keeps no more than a page of each node. Pure; one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "tools/json_lines.h"

namespace eddy::tools {

class KeyMerge {
 public:
  explicit KeyMerge(size_t sources) : sources_(sources) {}

  // A source that must give its next page before the merge can go on; nothing when Next can.
  std::optional<size_t> Wanting() const;
  // The next page of a source, which begins where the one before ended; `last`: there are no more.
  void Add(size_t source, const std::vector<ListedKey>& page, bool last);
  // The next key. Requires that no source is wanting; nothing at the end.
  std::optional<ListedKey> Next();

 private:
  // As nodes order their keys.
  struct Place {
    uint64_t token;
    size_t bucket_size;
    std::string bucket;
    size_t key_size;
    std::string key;

    friend auto operator<=>(const Place&, const Place&) = default;
  };
  struct Source {
    std::deque<Place> places;
    bool ended = false;
  };

  std::vector<Source> sources_;
};

}  // namespace eddy::tools
