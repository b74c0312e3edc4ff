#include "tools/key_merge.h"

#include "ring/token.h"

namespace eddy::tools {

std::optional<size_t> KeyMerge::Wanting() const {
  for (size_t i = 0; i < sources_.size(); i++) {
    if (sources_[i].places.empty() && !sources_[i].ended) return i;
  }
  return std::nullopt;
}

void KeyMerge::Add(size_t source, const std::vector<ListedKey>& page, bool last) {
  for (const ListedKey& listed : page) {
    sources_[source].places.push_back({.token = ring::TokenOf(listed.bucket, listed.key).value,
                                       .bucket_size = listed.bucket.size(),
                                       .bucket = listed.bucket,
                                       .key_size = listed.key.size(),
                                       .key = listed.key});
  }
  sources_[source].ended = last;
}

std::optional<ListedKey> KeyMerge::Next() {
  const Place* least = nullptr;
  for (const Source& source : sources_) {
    if (source.places.empty()) continue;
    if (least == nullptr || source.places.front() < *least) least = &source.places.front();
  }
  if (least == nullptr) return std::nullopt;
  const Place next = *least;
  for (Source& source : sources_) {
    if (!source.places.empty() && source.places.front() == next) source.places.pop_front();
  }
  return ListedKey{.bucket = next.bucket, .key = next.key};
}

}  // namespace eddy::tools
