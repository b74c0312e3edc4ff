#include "tools/export.h"

#include <utility>

#include "base/check.h"

namespace eddy::tools {

Export::Export(ExportOptions options, Submit submit, Found found, Failed failed)
    : options_(options),
      submit_(std::move(submit)),
      found_(std::move(found)),
      failed_(std::move(failed)) {}

void Export::Take(ListedKey key) {
  CHECK(Ready());
  wire::ClientRequest request;
  request.bucket = key.bucket;
  request.key = key.key;
  request.quorum = options_.quorum;
  request.deadline = options_.deadline;
  request.action = wire::GetAction{.all_siblings = true};
  const uint64_t number = first_ + slots_.size();
  slots_.push_back({.key = std::move(key), .reply = std::nullopt});
  submit_(std::move(request), [this, number](wire::ClientReply reply) {
    slots_[number - first_].reply = std::move(reply);
    Flush();
  });
}

void Export::Flush() {
  while (!slots_.empty() && slots_.front().reply) {
    const Slot slot = std::move(slots_.front());
    slots_.pop_front();
    first_++;
    if (slot.reply->error) {
      counts_.failed++;
      failed_(slot.key, *slot.reply->error);
    } else if (slot.reply->siblings.empty()) {
      counts_.absent++;
    } else {
      Entry entry{.bucket = slot.key.bucket, .key = slot.key.key, .values = {}};
      for (const wire::ShownSibling& sibling : slot.reply->siblings) {
        entry.values.push_back({.bytes = sibling.value, .expires_at = sibling.expires_at});
      }
      counts_.exported++;
      found_(entry);
    }
  }
}

}  // namespace eddy::tools
