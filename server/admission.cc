#include "server/admission.h"

#include <algorithm>
#include <utility>

namespace eddy::server {

namespace {

// A request's own bookkeeping, here and on its way to other replicas.
constexpr size_t kHeldByAny = 1024;
// A value that is written: here, and in the messages to two others.
constexpr size_t kCopiesOfWritten = 3;
// A value that is read: as it came from a replica, and as the reply that is made of it.
constexpr size_t kCopiesOfRead = 2;
// What is usual is the largest of the last finds, about: what is over it by now goes down by this
// part with each.
constexpr uint64_t kUsualDecay = 16;

size_t ValueBytesOf(const wire::ClientRequest& request) {
  if (const auto* put = std::get_if<wire::PutAction>(&request.action)) return put->value.size();
  const auto* restore = std::get_if<wire::RestoreAction>(&request.action);
  return restore == nullptr ? 0 : restore->record.size();
}

size_t WaitingBytesOf(const wire::ClientRequest& request) {
  return kHeldByAny + ValueBytesOf(request);
}

}  // namespace

Admission::Admission(size_t bytes_max)
    : memory_(bytes_max), waiting_share_(&memory_.taken), under_way_share_(&memory_.under_way) {}

bool Admission::MayBegin() const {
  const MemoryAccount& account = memory_.under_way;
  if (!account.full()) return true;
  // One, where it is not clients who hold it all by not taking their replies.
  return under_way_ == 0 && account.bytes() - under_way_share_.bytes() < account.bytes_max();
}

std::optional<Admission::Request> Admission::Admit(Request request) {
  if (waiting_.empty() && MayBegin()) return request;
  waiting_share_.Add(WaitingBytesOf(request.request));
  waiting_.push_back(std::move(request));
  NoteWaiting();
  return std::nullopt;
}

std::optional<Admission::Request> Admission::Next() {
  if (!HasNext()) return std::nullopt;
  Request next = std::move(waiting_.front());
  waiting_.pop_front();
  waiting_share_.Take(WaitingBytesOf(next.request));
  NoteWaiting();
  return next;
}

std::vector<Admission::Request> Admission::TakeExpired(MonotonicTime now) {
  std::vector<Request> expired;
  std::deque<Request> still;
  for (Request& request : waiting_) {
    if (request.until > now) {
      still.push_back(std::move(request));
      continue;
    }
    waiting_share_.Take(WaitingBytesOf(request.request));
    expired.push_back(std::move(request));
  }
  waiting_ = std::move(still);
  NoteWaiting();
  return expired;
}

size_t Admission::Began(const wire::ClientRequest& request) {
  const size_t held_bytes =
      kHeldByAny + request.bucket.size() + request.key.size() +
      (request.IsWrite() ? kCopiesOfWritten * ValueBytesOf(request) : kCopiesOfRead * found_usual_);
  ++under_way_;
  under_way_share_.Add(held_bytes);
  return held_bytes;
}

void Admission::Ended(size_t held_bytes) {
  --under_way_;
  under_way_share_.Take(held_bytes);
}

void Admission::Found(const wire::ClientReply& reply) {
  uint64_t bytes = 0;
  for (const wire::ShownSibling& sibling : reply.siblings) bytes += sibling.value.size();
  found_usual_ = std::max(found_usual_ - found_usual_ / kUsualDecay, bytes);
}

}  // namespace eddy::server
