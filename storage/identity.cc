#include "storage/identity.h"

#include <optional>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "base/bytes.h"
#include "storage/hint_key.h"
#include "storage/record_codec.h"

namespace eddy::storage {

namespace {

constexpr std::string_view kFormatRow = "format";
constexpr std::string_view kClusterRow = "cluster";
constexpr std::string_view kNodeRow = "node";
constexpr std::string_view kNameRow = "name";
constexpr std::string_view kActorRow = "actor";
constexpr std::string_view kCleanRow = "clean";
constexpr std::string_view kLayoutsRow = "layouts";
constexpr std::string_view kVotesRow = "votes";
constexpr std::string_view kWitnessRows = "witness/";
constexpr std::string_view kWitnessRowsEnd = "witness0";  // '0' follows '/'

std::string Sealed(std::string_view key, std::string value) {
  SealRow(key, &value);
  return value;
}

Write PutRow(std::string_view key, std::string value) {
  return Write{Space::kMeta, std::string(key), Sealed(key, std::move(value))};
}

std::unexpected<Error> Damaged(std::string_view row) {
  return Fail(Code::kCorruption,
              fmt::format("the data directory's row '{}' is damaged: start this node with an empty "
                          "directory and let the other replicas fill it",
                          row));
}

Result<std::optional<std::string>> ReadRow(Engine* engine, std::string_view key) {
  std::string value;
  const Result<Presence> presence = engine->Get(Space::kMeta, key, Tier::kDisk, &value);
  if (!presence.has_value()) return std::unexpected(presence.error());
  if (*presence == Presence::kAbsent) return std::nullopt;
  if (!UnsealRow(key, &value).has_value()) return Damaged(key);
  return value;
}

// A row that every directory of this format has.
Result<std::string> ReadNeededRow(Engine* engine, std::string_view key) {
  Result<std::optional<std::string>> value = ReadRow(engine, key);
  if (!value.has_value()) return std::unexpected(value.error());
  if (!value->has_value()) return Damaged(key);
  return **std::move(value);
}

Result<bool> HoldsAnything(Engine* engine) {
  bool holds = false;
  for (const Space space : {Space::kData, Space::kHints, Space::kMeta}) {
    const Status scanned = engine->Scan(space, "", "", [&](std::string_view, std::string_view) {
      holds = true;
      return false;
    });
    if (!scanned.has_value()) return std::unexpected(scanned.error());
  }
  return holds;
}

// Whose the directory is.
Result<Owner> ReadOwner(Engine* engine) {
  Owner owner;
  for (const auto& [row, name] :
       {std::pair(kClusterRow, &owner.cluster), std::pair(kNameRow, &owner.name)}) {
    const Result<std::string> value = ReadNeededRow(engine, row);
    if (!value.has_value()) return std::unexpected(value.error());
    ByteReader reader(*value);
    *name = reader.Bytes();
    if (!reader.AtEnd()) return Damaged(row);
  }
  const Result<std::string> row = ReadNeededRow(engine, kNodeRow);
  if (!row.has_value()) return std::unexpected(row.error());
  ByteReader reader(*row);
  owner.node.high = reader.U64();
  owner.node.low = reader.U64();
  if (!reader.AtEnd()) return Damaged(kNodeRow);
  return owner;
}

// Refuses a directory that is not this node's. Who it is, is in `node` then.
Status CheckOwner(Engine* engine, const Owner& expected, NodeId* node) {
  const Result<Owner> owner = ReadOwner(engine);
  if (!owner.has_value()) return std::unexpected(owner.error());
  if (owner->cluster != expected.cluster) {
    return Fail(Code::kWrongCluster,
                fmt::format("the data directory belongs to cluster '{}', not to '{}': correct the "
                            "configured cluster, or give this node a directory of its own",
                            owner->cluster, expected.cluster));
  }
  *node = owner->node;
  if (!expected.node.IsNone() && owner->node != expected.node) {
    return Fail(Code::kWrongCluster,
                fmt::format("the data directory belongs to node {}, and this is node {}: correct "
                            "the configured node, or give it a directory of its own",
                            owner->node.ToHex(), expected.node.ToHex()));
  }
  if (!expected.name.empty() && owner->name != expected.name) {
    return Fail(Code::kWrongCluster,
                fmt::format("the data directory belongs to node '{}', and this is node '{}': "
                            "correct the configured name, or give it a directory of its own",
                            owner->name, expected.name));
  }
  return {};
}

// The row `format` comes first: the other rows may mean something else in a newer one.
Result<bool> IsFounded(Engine* engine) {
  const Result<std::optional<std::string>> row = ReadRow(engine, kFormatRow);
  if (!row.has_value()) return std::unexpected(row.error());
  if (!row->has_value()) {
    const Result<bool> holds = HoldsAnything(engine);
    if (!holds.has_value()) return std::unexpected(holds.error());
    if (*holds) return Damaged(kFormatRow);
    return false;
  }
  ByteReader reader(**row);
  const uint32_t format = reader.U32();
  if (!reader.AtEnd()) return Damaged(kFormatRow);
  if (format != kFormatVersion) {
    return Fail(Code::kWrongCluster,
                fmt::format("the data directory has format {}, and this program reads format {}: "
                            "start the version of Eddy that wrote it",
                            format, kFormatVersion));
  }
  return true;
}

// The actor and the end of its lease, in `actor` and `end`.
Status ReadActor(Engine* engine, Lease* lease) {
  const Result<std::string> row = ReadNeededRow(engine, kActorRow);
  if (!row.has_value()) return std::unexpected(row.error());
  ByteReader reader(*row);
  lease->actor.high = reader.U64();
  lease->actor.low = reader.U64();
  lease->end = reader.U64();
  if (!reader.AtEnd()) return Damaged(kActorRow);
  return {};
}

// Where the history began, if the last stop was a clean one.
Result<std::optional<uint64_t>> ReadClean(Engine* engine) {
  const Result<std::optional<std::string>> row = ReadRow(engine, kCleanRow);
  if (!row.has_value()) return std::unexpected(row.error());
  if (!row->has_value()) return std::nullopt;
  ByteReader reader(**row);
  const uint64_t begin = reader.U64();
  if (!reader.AtEnd()) return Damaged(kCleanRow);
  return begin;
}

Status ReadWitnessed(Engine* engine, std::map<ActorId, Lease>* witnessed) {
  std::string damaged;
  const Status scanned = engine->Scan(Space::kMeta, kWitnessRows, kWitnessRowsEnd,
                                      [&](std::string_view key, std::string_view stored) {
                                        const std::optional<ActorId> actor =
                                            ActorId::FromHex(key.substr(kWitnessRows.size()));
                                        std::string value(stored);
                                        const bool sealed = UnsealRow(key, &value).has_value();
                                        ByteReader reader(value);
                                        Lease lease;
                                        lease.begin = reader.U64();
                                        lease.end = reader.U64();
                                        lease.boot = reader.U64();
                                        if (!actor.has_value() || !sealed || !reader.AtEnd()) {
                                          damaged = key;
                                          return false;
                                        }
                                        lease.actor = *actor;
                                        witnessed->emplace(*actor, lease);
                                        return true;
                                      });
  if (!scanned.has_value()) return scanned;
  if (!damaged.empty()) return Damaged(damaged);
  return {};
}

// Reads every hint there is: they are bounded, and soon delivered.
Status ReadHints(Engine* engine, std::map<NodeId, HintUsage>* hints) {
  return engine->Scan(Space::kHints, {}, {}, [&](std::string_view key, std::string_view row) {
    // By what is not a key of ours nothing can be delivered.
    if (const auto hint = DecodeHintKey(key)) {
      HintUsage& usage = (*hints)[hint->owner];
      ++usage.rows;
      usage.bytes += key.size() + row.size();
    }
    return true;
  });
}

}  // namespace

Result<Identity> OpenIdentity(Engine* engine, const Owner& owner, Random* random) {
  const Result<bool> founded = IsFounded(engine);
  if (!founded.has_value()) return std::unexpected(founded.error());

  Identity identity{.cluster = owner.cluster,
                    .node = owner.node,
                    .lease = {},
                    .history = {},
                    .witnessed = {},
                    .hints = {},
                    .layouts = {},
                    .votes = {}};
  Lease& lease = identity.lease;
  std::optional<uint64_t> clean;
  WriteBatch batch;
  if (*founded) {
    if (Status ours = CheckOwner(engine, owner, &identity.node); !ours.has_value()) {
      return std::unexpected(ours.error());
    }
    if (Status read = ReadActor(engine, &lease); !read.has_value()) {
      return std::unexpected(read.error());
    }
    if (Status read = ReadWitnessed(engine, &identity.witnessed); !read.has_value()) {
      return std::unexpected(read.error());
    }
    if (Status read = ReadHints(engine, &identity.hints); !read.has_value()) {
      return std::unexpected(read.error());
    }
    Result<std::vector<TokenRange>> damaged = ReadDamage(engine);
    if (!damaged.has_value()) return std::unexpected(damaged.error());
    identity.damaged = *std::move(damaged);
    for (const auto& [row, value] :
         {std::pair(kLayoutsRow, &identity.layouts), std::pair(kVotesRow, &identity.votes)}) {
      Result<std::optional<std::string>> stored = ReadRow(engine, row);
      if (!stored.has_value()) return std::unexpected(stored.error());
      *value = std::move(*stored).value_or("");
    }
    const Result<std::optional<uint64_t>> read = ReadClean(engine);
    if (!read.has_value()) return std::unexpected(read.error());
    clean = *read;
    if (identity.damaged.size() == size_t{1} << kTokenRangeBits) {
      // The log has lost what nobody can tell, maybe a lease: counters of that actor may be out.
      lease = Lease{.actor = random->NextId<ActorId>(), .begin = 0, .end = 0, .boot = 0};
      clean.reset();
    }
  } else {
    lease.actor = random->NextId<ActorId>();
    if (owner.node.IsNone()) identity.node = random->NextId<NodeId>();
    std::string format;
    AppendU32(&format, kFormatVersion);
    batch.push_back(PutRow(kFormatRow, std::move(format)));
    std::string cluster;
    AppendBytes(&cluster, owner.cluster);
    batch.push_back(PutRow(kClusterRow, std::move(cluster)));
    std::string node;
    AppendU64(&node, identity.node.high);
    AppendU64(&node, identity.node.low);
    batch.push_back(PutRow(kNodeRow, std::move(node)));
    std::string name;
    AppendBytes(&name, owner.name);
    batch.push_back(PutRow(kNameRow, std::move(name)));
  }

  lease.begin = lease.end;
  lease.end = lease.begin + kLeaseBlock;
  lease.boot = random->Next();
  identity.history.begin = clean.value_or(lease.begin + 1);
  batch.push_back(Write{Space::kMeta, ActorRowKey(), ActorRowValue(lease)});
  // Gone in the same batch: a crash from here on is no clean stop.
  batch.push_back(Write{Space::kMeta, std::string(kCleanRow), std::nullopt});
  if (Status status = engine->Write(batch, Logging::kLogged); !status.has_value()) {
    return std::unexpected(status.error());
  }
  if (Status status = engine->Sync(); !status.has_value()) return std::unexpected(status.error());
  return identity;
}

Result<DirectoryIdentity> PeekIdentity(Engine* engine) {
  const Result<bool> founded = IsFounded(engine);
  if (!founded.has_value()) return std::unexpected(founded.error());
  if (!*founded) {
    return Fail(Code::kInvalidArgument, "no node has written to this directory: check the path");
  }
  const Result<Owner> owner = ReadOwner(engine);
  if (!owner.has_value()) return std::unexpected(owner.error());
  DirectoryIdentity identity{.format = kFormatVersion,
                             .cluster = owner->cluster,
                             .node = owner->node,
                             .name = owner->name,
                             .actor = {},
                             .lease_end = 0,
                             .clean = {},
                             .layouts = {},
                             .witnessed = 0,
                             .damaged = {}};
  Lease lease;
  if (Status read = ReadActor(engine, &lease); !read.has_value()) {
    return std::unexpected(read.error());
  }
  identity.actor = lease.actor;
  identity.lease_end = lease.end;
  const Result<std::optional<uint64_t>> clean = ReadClean(engine);
  if (!clean.has_value()) return std::unexpected(clean.error());
  identity.clean = *clean;
  Result<std::optional<std::string>> layouts = ReadRow(engine, kLayoutsRow);
  if (!layouts.has_value()) return std::unexpected(layouts.error());
  identity.layouts = std::move(*layouts).value_or("");
  std::map<ActorId, Lease> witnessed;
  if (Status read = ReadWitnessed(engine, &witnessed); !read.has_value()) {
    return std::unexpected(read.error());
  }
  identity.witnessed = witnessed.size();
  Result<std::vector<TokenRange>> damaged = ReadDamage(engine);
  if (!damaged.has_value()) return std::unexpected(damaged.error());
  identity.damaged = *std::move(damaged);
  return identity;
}

Status CloseIdentity(Engine* engine, lattice::History history) {
  // First what was not logged, so that the mark never precedes what it vouches for.
  if (Status status = engine->Flush(); !status.has_value()) return status;
  std::string begin;
  AppendU64(&begin, history.begin);
  if (Status status = engine->Write({PutRow(kCleanRow, std::move(begin))}, Logging::kLogged);
      !status.has_value()) {
    return status;
  }
  return engine->Sync();
}

std::string ActorRowKey() { return std::string(kActorRow); }

std::string ActorRowValue(const Lease& lease) {
  std::string value;
  AppendU64(&value, lease.actor.high);
  AppendU64(&value, lease.actor.low);
  AppendU64(&value, lease.end);
  return Sealed(kActorRow, std::move(value));
}

std::string LayoutsRowKey() { return std::string(kLayoutsRow); }
std::string LayoutsRowValue(std::string layouts) { return Sealed(kLayoutsRow, std::move(layouts)); }
std::string VotesRowKey() { return std::string(kVotesRow); }
std::string VotesRowValue(std::string votes) { return Sealed(kVotesRow, std::move(votes)); }

std::string WitnessRowKey(ActorId actor) { return std::string(kWitnessRows) + actor.ToHex(); }

std::string WitnessRowValue(const Lease& lease) {
  std::string value;
  AppendU64(&value, lease.begin);
  AppendU64(&value, lease.end);
  AppendU64(&value, lease.boot);
  return Sealed(WitnessRowKey(lease.actor), std::move(value));
}

}  // namespace eddy::storage
