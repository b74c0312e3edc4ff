#include "base/check.h"
#include "ring/layout.h"
#include "wire/codec.h"
#include "wire/flat.h"

namespace eddy::wire {

namespace {

Offset<flat::MemberStatus> ToMember(FlatBufferBuilder* builder, const MemberStatus& member) {
  const auto name = ToText(builder, member.name);
  const auto zone = ToText(builder, member.zone);
  const auto doors = ToDoors(builder, member.doors);
  const flat::Id id = ToId(member.id);
  return flat::CreateMemberStatus(*builder, &id, name, zone, member.weight, doors, member.reachable,
                                  static_cast<uint8_t>(member.standing));
}

Result<MemberStatus> FromMember(const flat::MemberStatus& flat) {
  if (flat.id() == nullptr || flat.doors() == nullptr) return Malformed("status");
  // Of a newer version's standings we know nothing: it is some kind of member.
  const uint8_t standing =
      flat.standing() <= static_cast<uint8_t>(Standing::kRemoved) ? flat.standing() : uint8_t{0};
  return MemberStatus{.id = FromId<NodeId>(flat.id()),
                      .name = FromText(flat.name()),
                      .zone = FromText(flat.zone()),
                      .weight = flat.weight(),
                      .doors = FromDoors(flat.doors()),
                      .reachable = flat.reachable(),
                      .standing = static_cast<Standing>(standing)};
}

Offset<flat::Counter> ToCounter(FlatBufferBuilder* builder, const Counter& counter) {
  const auto name = ToText(builder, counter.name);
  return flat::CreateCounter(*builder, name, counter.value);
}

Offset<flat::NodeStatus> ToNodeStatus(FlatBufferBuilder* builder, const NodeStatus& status) {
  CHECK(status.members.size() <= ring::kMembersMax);
  const auto cluster = ToText(builder, status.cluster);
  const auto software = ToText(builder, status.software);
  const auto name = ToText(builder, status.name);
  const auto reason = ToText(builder, status.reason, kErrorTextBytesMax);
  const auto members = builder->CreateVector<Offset<flat::MemberStatus>>(
      status.members.size(), [&](size_t i) { return ToMember(builder, status.members[i]); });
  const auto owners = builder->CreateVector<uint16_t>(status.owners.size(), [&](size_t i) {
    CHECK(status.owners[i] < status.members.size());
    return static_cast<uint16_t>(status.owners[i]);
  });
  const auto counters = builder->CreateVector<Offset<flat::Counter>>(
      std::min(status.counters.size(), kCountersMax),
      [&](size_t i) { return ToCounter(builder, status.counters[i]); });
  const flat::Id node = ToId(status.node);
  return flat::CreateNodeStatus(
      *builder, cluster, software, &node, name, status.ready, reason, status.uptime_seconds,
      status.layout_version, status.partitions, status.partitions_owned, status.keys_estimate,
      status.data_bytes, status.operations_in_flight, members, owners, counters,
      status.equal_seconds_ago ? flatbuffers::Optional<uint64_t>(*status.equal_seconds_ago)
                               : flatbuffers::Optional<uint64_t>(flatbuffers::nullopt),
      status.layout_newest);
}

Result<NodeStatus> FromNodeStatus(const flat::NodeStatus& flat) {
  NodeStatus status;
  status.cluster = FromText(flat.cluster());
  status.software = FromText(flat.software());
  status.node = FromId<NodeId>(flat.node());
  status.name = FromText(flat.name());
  status.ready = flat.ready();
  status.reason = FromText(flat.reason(), kErrorTextBytesMax);
  status.uptime_seconds = flat.uptime_seconds();
  status.layout_version = flat.layout_version();
  status.partitions = flat.partitions();
  status.partitions_owned = flat.partitions_owned();
  status.keys_estimate = flat.keys_estimate();
  status.data_bytes = flat.data_bytes();
  status.operations_in_flight = flat.operations_in_flight();
  status.layout_newest = flat.layout_newest();
  if (flat.equal_seconds_ago()) status.equal_seconds_ago = *flat.equal_seconds_ago();
  if (flat.members() != nullptr) {
    if (flat.members()->size() > ring::kMembersMax) return Malformed("status");
    for (const flat::MemberStatus* member : *flat.members()) {
      auto decoded = FromMember(*member);
      if (!decoded) return std::unexpected(decoded.error());
      status.members.push_back(std::move(*decoded));
    }
  }
  if (flat.owners() != nullptr) {
    if (flat.owners()->size() > ring::PartitionCount(ring::kPartitionBitsMax)) {
      return Malformed("status");
    }
    for (const uint16_t owner : *flat.owners()) {
      if (owner >= status.members.size()) return Malformed("status");
      status.owners.push_back(owner);
    }
  }
  if (flat.counters() != nullptr) {
    if (flat.counters()->size() > kCountersMax) return Malformed("status");
    for (const flat::Counter* counter : *flat.counters()) {
      status.counters.push_back(Counter{FromText(counter->name()), counter->value()});
    }
  }
  return status;
}

}  // namespace

void Encoder::AppendStatusRequest(RequestId id, std::string* out) {
  const flat::RequestId flat_id = ToRequestId(id);
  Finish(FrameKind::kStatusRequest, flat::CreateStatusRequest(*builder_, &flat_id).o, out);
}

Result<RequestId> DecodeStatusRequest(std::string_view payload) {
  const auto root = Root<flat::StatusRequest>(payload, "status request");
  if (!root) return std::unexpected(root.error());
  return FromRequestId((*root)->id());
}

void Encoder::AppendStatusReply(RequestId id, const NodeStatus& status, std::string* out) {
  const auto flat_status = ToNodeStatus(builder_.get(), status);
  const flat::RequestId flat_id = ToRequestId(id);
  Finish(FrameKind::kStatusReply, flat::CreateStatusReply(*builder_, &flat_id, flat_status).o, out);
}

Result<std::pair<RequestId, NodeStatus>> DecodeStatusReply(std::string_view payload) {
  const auto root = Root<flat::StatusReply>(payload, "status");
  if (!root) return std::unexpected(root.error());
  auto status = FromNodeStatus(*(*root)->status());
  if (!status) return std::unexpected(status.error());
  return std::pair(FromRequestId((*root)->id()), std::move(*status));
}

}  // namespace eddy::wire
