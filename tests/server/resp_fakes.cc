#include "tests/server/resp_fakes.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"

namespace eddy::server {

ring::Layout FakeLayout(size_t count, unsigned partition_bits) {
  ring::LayoutParts parts;
  parts.partition_bits = partition_bits;
  for (size_t number = 1; number <= count; ++number) {
    parts.members.push_back({.id = NodeId{.high = number, .low = 7},
                             .name = fmt::format("n{}", number),
                             .zone = "",
                             .weight = 100,
                             .doors = {.host = fmt::format("127.0.0.{}", number)}});
  }
  for (uint32_t partition = 0; partition < ring::PartitionCount(partition_bits); ++partition) {
    parts.owners.push_back(ring::MemberIndex{static_cast<uint16_t>(partition % count)});
  }
  auto layout = ring::Layout::Make(std::move(parts));
  CHECK(layout.has_value());
  return *std::move(layout);
}

void FakeFront::Submit(wire::ClientRequest request, Done done) {
  requests_.push_back(request);
  pending_.push_back({std::move(request), std::move(done), std::nullopt});
  if (!scripted_.empty()) {
    pending_.back().reply = std::move(scripted_.front());
    scripted_.pop_front();
  }
  pending_max_ = std::max(pending_max_, pending_.size());
}

wire::NodeStatus FakeFront::Status() {
  wire::NodeStatus status;
  status.cluster = "test";
  status.software = "eddyd 0.1.0";
  status.node = layout_.members()[0].id;
  status.name = layout_.members()[0].name;
  status.ready = ready_;
  status.layout_version = layout_.version();
  status.partitions = layout_.partition_count();
  status.keys_estimate = held_.size();
  for (size_t index = 0; index < layout_.members().size(); ++index) {
    const ring::Member& member = layout_.members()[index];
    status.members.push_back({.id = member.id,
                              .name = member.name,
                              .zone = member.zone,
                              .weight = member.weight,
                              .doors = member.doors,
                              .reachable = !unreachable_.contains(index)});
  }
  return status;
}

void FakeFront::set_reachable(size_t member, bool reachable) {
  if (reachable) {
    unreachable_.erase(member);
  } else {
    unreachable_.insert(member);
  }
}

void FakeFront::Advance(std::chrono::milliseconds time) {
  now_.wall += time;
  now_.monotonic += time;
}

bool FakeFront::IsBlocked(size_t index) const {
  const Pending& one = pending_[index];
  if (one.reply || !one.request.IsWrite()) return false;
  return std::any_of(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(index),
                     [&](const Pending& earlier) {
                       return !earlier.reply && earlier.request.IsWrite() &&
                              earlier.request.bucket == one.request.bucket &&
                              earlier.request.key == one.request.key;
                     });
}

bool FakeFront::Step() {
  if (pending_.empty()) return false;
  size_t index = random_.Below(pending_.size());
  while (IsBlocked(index)) --index;  // the first write of a key never is
  Pending& chosen = pending_[index];
  if (!chosen.reply) {
    chosen.reply = Perform(chosen.request);
    return true;
  }
  Pending done = std::move(chosen);
  pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(index));
  done.done(*std::move(done.reply));
  return true;
}

wire::ClientReply FakeFront::Perform(const wire::ClientRequest& request) {
  Held& held = held_[{request.bucket, request.key}];
  const auto context_of = [](const Held& of) {
    return of.version == 0 ? std::string() : fmt::format("seen {}", of.version);
  };
  wire::ClientReply reply{.needed = 2, .answered = 2};
  if (!request.IsWrite()) {
    reply.context = context_of(held);
    if (held.value && held.value->expires_at > now_.wall) reply.siblings.push_back(*held.value);
    return reply;
  }
  const auto replace = [&](const std::string& context) {
    if (!context.empty() && context != context_of(held)) ++stale_contexts_;
    ++held.version;
    held.value.reset();
  };
  if (const auto* put = std::get_if<wire::PutAction>(&request.action)) {
    replace(put->context);
    held.value = wire::ShownSibling{
        .dot = {ActorId{.high = 1, .low = 1}, held.version},
        .timestamp = {static_cast<uint64_t>(now_.wall.time_since_epoch().count()) << 16},
        .expires_at = put->expires_at,
        .value = put->value};
  } else {
    replace(std::get<wire::DeleteAction>(request.action).context);
  }
  reply.context = context_of(held);
  return reply;
}

std::string RespArray(const std::vector<std::string>& words) {
  std::string bytes = fmt::format("*{}\r\n", words.size());
  for (const std::string& word : words) bytes += fmt::format("${}\r\n{}\r\n", word.size(), word);
  return bytes;
}

}  // namespace eddy::server
