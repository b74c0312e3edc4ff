// What the daemon shows of itself and of the others: to the admin tool, and in its log.
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "server/admin_looks.h"
#include "server/admin_process.h"
#include "server/daemon.h"
#include "server/key_lister.h"
#include "server/version.h"

namespace eddy::server {

namespace {

// Looks at the engine beside the store, and calls `done` with the reply, at once if too many others
// look.
template <class Request, class Reply>
void LookAt(Inspector* inspector, Request request,
            std::function<Reply(storage::Engine*, const Request&)> look,
            std::move_only_function<void(Reply)> done) {
  struct Look {
    Request request;
    Reply reply;
    std::move_only_function<void(Reply)> done;
  };
  const auto under_way = std::make_shared<Look>(std::move(request), Reply{}, std::move(done));
  const bool begun = inspector->Begin(
      [under_way, look = std::move(look)](storage::Engine* engine) {
        under_way->reply = look(engine, under_way->request);
      },
      [under_way] { under_way->done(std::move(under_way->reply)); });
  if (begun) return;
  under_way->reply.id = under_way->request.id;
  under_way->reply.error = Error{Code::kBusy, "many others read this node's disk: try again later"};
  under_way->done(std::move(under_way->reply));
}

}  // namespace

void Daemon::ListKeys(wire::KeyListRequest request, Listed listed) {
  LookAt<wire::KeyListRequest, wire::KeyListReply>(inspector_.get(), std::move(request),
                                                   server::ListKeys, std::move(listed));
}

void Daemon::Admin(wire::AdminRequest request, Answered answered) {
  if (IsProcessCall(request.call)) {
    return answered(RunProcessCall({.node = *node_,
                                    .engine = *engine_,
                                    .config = config_,
                                    .levels = levels_,
                                    .log = *log_,
                                    .now = now(),
                                    .started_at = started_at_},
                                   request));
  }
  if (IsBackupCall(request.call)) {
    std::optional<Error> no_room;
    if (no_room_) {
      no_room = Error{Code::kUnavailable,
                      fmt::format("only {} % of this node's disk are free, and a backup would keep "
                                  "deleted files there: make room first",
                                  disk_free_percent_)};
    }
    return LookAt<wire::AdminRequest, wire::AdminReply>(
        backup_thread_.get(), std::move(request),
        [this, moment = now().monotonic, no_room = std::move(no_room)](
            storage::Engine*, const wire::AdminRequest& asked) {
          return backups_->Run(asked, moment, no_room);
        },
        std::move(answered));
  }
  if (!IsLook(request.call)) {
    return answered(RunAdmin(
        {.node = node_.get(), .now = now(), .hints = &runner_->hints(), .faults = faults_.get()},
        request));
  }
  LookSubject subject{.now = now().wall, .buckets = &config_.buckets, .hint_owners = {}};
  for (const auto& [owner, usage] : runner_->hints().usage()) subject.hint_owners.push_back(owner);
  LookAt<wire::AdminRequest, wire::AdminReply>(
      inspector_.get(), std::move(request),
      [subject = std::move(subject)](storage::Engine* engine, const wire::AdminRequest& asked) {
        return RunLook(engine, subject, asked);
      },
      std::move(answered));
}

wire::NodeStatus Daemon::Status() {
  wire::NodeStatus status{.cluster = config_.cluster,
                          .software = std::string(kSoftware),
                          .node = node_->id(),
                          .name = config_.name};
  status.ready = Ready(&status.reason);
  status.uptime_seconds = static_cast<uint64_t>((clock() - started_at_) / std::chrono::seconds(1));
  const ring::Layout& ring = node_->layout();
  status.layout_version = ring.version();
  status.partitions = ring.partition_count();
  ShowMembers(&status);
  const storage::EngineEstimate estimate = engine_->Estimate();
  status.keys_estimate = estimate.data_keys;
  status.data_bytes = estimate.data_bytes;
  status.operations_in_flight = node_->operations_in_flight();
  if (const auto since = node_->equal_since(); since && *since <= clock()) {
    status.equal_seconds_ago = static_cast<uint64_t>((clock() - *since) / std::chrono::seconds(1));
  }

  status.counters = node_->Counters();
  const auto add = [&](std::string name, uint64_t value) {
    status.counters.push_back({.name = std::move(name), .value = value});
  };
  const PeerTransport::Counters& peers = transport_->counters();
  add("peer_messages_sent", peers.messages_sent);
  add("peer_messages_received", peers.messages_received);
  add("peer_messages_dropped", peers.messages_dropped);
  add("peer_connections_made", peers.connections_made);
  add("peer_connections_lost", peers.connections_lost);
  add("peer_refusals", peers.refusals);
  add("peer_bytes_read", transport_->bytes_read());
  add("peer_bytes_written", transport_->bytes_written());
  add("gossip_datagrams_sent", gossip_->counters().sent);
  add("gossip_datagrams_received", gossip_->counters().received);
  add("gossip_datagrams_dropped", gossip_->counters().dropped);
  add("client_bytes_read", clients_.bytes_read);
  add("client_bytes_written", clients_.bytes_written);
  uint64_t accepted = 0;
  uint64_t refused = 0;
  for (const auto& listener : listeners_) {
    accepted += listener->accepted();
    refused += listener->refused();
  }
  add("client_requests_too_late", too_late_count_);
  add("client_requests_crowded_out", crowded_out_count_);
  add("freed_memory_returned", memory_returned_count_);
  add("loop_hangs", watchdog_ == nullptr ? 0 : watchdog_->Hangs(0));
  add("sync_hangs", watchdog_ == nullptr ? 0 : watchdog_->Hangs(1));
  add("client_connections_accepted", accepted);
  add("client_connections_refused", refused);
  const StoreRunner::Counters& store = runner_->counters();
  add("store_verbs", store.verbs);
  add("store_disk_reads", store.disk_reads);
  add("store_commits", store.commits);
  add("store_syncs", store.syncs);
  add("store_refused_busy", store.refused_busy);
  add("hints_refused", runner_->hints().refused());
  add("store_refused_no_room", store.refused_no_room);
  add("now_disk_free_percent", disk_free_percent_);
  add("now_out_of_room", no_room_ ? 1 : 0);
  add("now_damaged_partitions", node_->damaged_partitions());
  add("now_damaged_ranges", node_->damaged_ranges());
  return status;
}

void Daemon::ShowMembers(wire::NodeStatus* status) const {
  const ring::Layout& read = node_->layout();
  const ring::LayoutHistory* layouts = node_->layouts();
  const ring::Layout& newest = layouts != nullptr ? layouts->newest() : read;
  status->layout_newest = newest.version();
  // In the order of their ids, those of either.
  std::map<NodeId, std::pair<const ring::Member*, const ring::Member*>> members;
  for (const ring::Member& member : read.members()) members[member.id].first = &member;
  for (const ring::Member& member : newest.members()) members[member.id].second = &member;
  std::map<NodeId, uint32_t> places;
  for (const auto& [id, known] : members) {
    const auto& [before, now] = known;
    const ring::Member& member = now != nullptr ? *now : *before;
    const ring::Doors* doors = transport_->DoorsOf(id);
    places.emplace(id, static_cast<uint32_t>(status->members.size()));
    status->members.push_back({.id = id,
                               .name = member.name,
                               .zone = member.zone,
                               .weight = before != nullptr ? before->weight : 0,
                               .doors = doors != nullptr ? *doors : member.doors,
                               .reachable = id == node_->id() || node_->Reachable(id),
                               .standing = now == nullptr      ? wire::Standing::kRemoved
                                           : now->leaving      ? wire::Standing::kLeaving
                                           : before == nullptr ? wire::Standing::kJoining
                                                               : wire::Standing::kMember});
  }
  for (uint32_t i = 0; i < read.partition_count(); ++i) {
    const NodeId owner = read.member(read.OwnerOf(ring::PartitionId{i})).id;
    status->owners.push_back(places.at(owner));
    if (owner == node_->id()) ++status->partitions_owned;
  }
}

void Daemon::ShowSighting(const gossip::Event& sighting) {
  const gossip::MemberState& seen = sighting.member;
  if (sighting.kind == gossip::EventKind::kAlive ||
      sighting.kind == gossip::EventKind::kAddressChanged) {
    transport_->Learn(seen.id, seen.address.host, seen.address.port);
  }
  const ring::LayoutHistory* layouts = node_->layouts();
  const ring::Member* member = layouts == nullptr ? nullptr : layouts->newest().Find(seen.id);
  if (member == nullptr) return;
  const auto log = [&](LogLevel level, std::string_view what) {
    limited_log_.Log(clock(), fmt::format("sighting {} {}", member->name, what), level,
                     fmt::format("gossip: {} at {} port {} {}", member->name, seen.address.host,
                                 seen.address.port, what));
  };
  switch (sighting.kind) {
    case gossip::EventKind::kAlive:
      return log(LogLevel::kInfo, "is alive");
    case gossip::EventKind::kAddressChanged:
      return log(LogLevel::kInfo, "is where it was not before");
    case gossip::EventKind::kSuspect:
      return log(LogLevel::kInfo, "leaves probes unanswered");
    case gossip::EventKind::kDead:
      return log(LogLevel::kWarning,
                 "is dead: others keep its writes until it is back; start it, or if its disk is "
                 "lost start a new node with --replace");
    case gossip::EventKind::kLeft:
      return log(LogLevel::kInfo, "has stopped by its own will");
  }
}

void Daemon::ShowCrowded(const node::Crowded& crowded) {
  // By bucket: keys are without number, and may be nobody else's to read.
  limited_log_.Log(
      clock(), fmt::format("crowded {}", crowded.bucket), LogLevel::kWarning,
      fmt::format(
          "bucket {}: a key has {} siblings and its writers do not resolve them: let them "
          "write with the context of their last read; 'eddyctl siblings top' finds such keys",
          crowded.bucket, crowded.siblings));
}

}  // namespace eddy::server
