#include "sim/plan.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/random.h"

namespace eddy::sim {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A length between the two, most often near the shorter: half of the draws fall into the first
// tenth.
Duration DrawLength(Random* random, Duration least, Duration most) {
  const auto low = static_cast<uint64_t>(least.count());
  const auto high = static_cast<uint64_t>(most.count());
  const bool near = random->Chance(1, 2);
  return Duration(random->Between(low, near ? low + (high - low) / 10 : high));
}

node::BucketProperties DrawQuorums(Random* random) {
  node::BucketProperties properties;
  properties.n = static_cast<uint8_t>(random->Between(1, 5));
  if (random->Chance(1, 2)) properties.r = static_cast<uint8_t>(random->Between(1, properties.n));
  if (random->Chance(1, 2)) properties.w = static_cast<uint8_t>(random->Between(1, properties.n));
  if (random->Chance(1, 8)) properties.pr = static_cast<uint8_t>(random->Between(1, properties.n));
  if (random->Chance(1, 8)) properties.pw = static_cast<uint8_t>(random->Between(1, properties.n));
  return properties;
}

std::vector<BucketPlan> DrawBuckets(Random* random) {
  std::vector<BucketPlan> buckets;
  // Two that every run has, since most users will have no other.
  buckets.push_back({"siblings", {}});
  buckets.push_back({"lww", {.conflict = node::Conflict::kLastWriter}});
  if (random->Chance(1, 2)) {
    BucketPlan drawn{"drawn", DrawQuorums(random)};
    if (random->Chance(1, 3)) drawn.properties.conflict = node::Conflict::kLastWriter;
    buckets.push_back(drawn);
  }
  if (random->Chance(1, 3)) {
    BucketPlan expiring{"expiring", {}};
    if (random->Chance(1, 2)) expiring.properties.conflict = node::Conflict::kLastWriter;
    expiring.properties.ttl = milliseconds(random->Between(50, 5'000));
    buckets.push_back(expiring);
  }
  if (random->Chance(1, 4)) {
    BucketPlan light{"light", {}};
    light.properties.durability =
        random->Chance(1, 2) ? storage::Durability::kOs : storage::Durability::kMemory;
    buckets.push_back(light);
  }
  return buckets;
}

NetworkPlan DrawNetwork(Random* random) {
  NetworkPlan network;
  network.ordered = random->Chance(3, 4);
  network.delay.least = microseconds(random->Between(20, 300));
  network.delay.most = network.delay.least + DrawLength(random, microseconds(50), milliseconds(20));
  network.stall_before_reset = {milliseconds(random->Between(200, 2'000)), seconds(4)};
  // Some networks let no datagram through.
  network.datagrams_lost_per_10000 =
      random->Chance(1, 8) ? 10'000 : static_cast<uint32_t>(random->Below(1'000));
  network.reconnect = {milliseconds(20), milliseconds(random->Between(50, 1'000))};
  return network;
}

DiskPlan DrawDisk(Random* random) {
  DiskPlan disk;
  disk.sync.least = microseconds(random->Between(50, 1'000));
  disk.sync.most = disk.sync.least + DrawLength(random, microseconds(100), milliseconds(20));
  disk.turn = {microseconds(0), microseconds(random->Between(0, 50))};
  if (random->Chance(1, 4)) disk.turn.most = milliseconds(2);
  if (random->Chance(1, 3)) disk.commit.most = microseconds(random->Between(1, 2'000));
  if (random->Chance(1, 3)) disk.miss_per_1000 = static_cast<uint32_t>(random->Between(1, 300));
  disk.fetch = {microseconds(80), milliseconds(random->Between(1, 10))};
  return disk;
}

WorkloadPlan DrawWorkload(Random* random) {
  WorkloadPlan workload;
  workload.clients = static_cast<uint32_t>(random->Between(1, 16));
  workload.keys_per_bucket = static_cast<uint32_t>(random->Between(1, 30));
  if (random->Chance(1, 2)) workload.hot_percent = static_cast<uint32_t>(random->Between(10, 90));
  // Each kind of operation is left out now and then, but for the two that everything rests on.
  WorkloadPlan::Mix& mix = workload.mix;
  for (uint32_t* weight :
       {&mix.get_then_delete, &mix.put_seen, &mix.put_blind, &mix.delete_blind, &mix.bad}) {
    if (random->Chance(1, 3)) *weight = 0;
  }
  if (random->Chance(1, 3)) workload.expiring_percent = static_cast<uint32_t>(random->Below(30));
  if (random->Chance(1, 3)) workload.own_quorum_percent = static_cast<uint32_t>(random->Below(60));
  if (random->Chance(1, 4)) workload.large_percent = static_cast<uint32_t>(random->Below(10));
  workload.attempts_max = static_cast<uint32_t>(random->Between(1, 4));
  if (random->Chance(1, 2)) workload.impatient_percent = static_cast<uint32_t>(random->Below(25));
  workload.deadline.least = milliseconds(random->Between(20, 300));
  workload.deadline.most = milliseconds(random->Between(300, 3'000));
  return workload;
}

FaultPlan DrawFaults(Random* random, bool ordered) {
  FaultPlan faults;
  // One run in twelve has none: what fails there fails anywhere.
  const bool calm = random->Chance(1, 12);
  for (size_t kind = 0; kind < static_cast<size_t>(Fault::kReplace); ++kind) {
    const bool on = random->Chance(1, 3);
    const Duration every = DrawLength(random, milliseconds(500), seconds(20));
    if (on && !calm) faults.every[kind] = every;
  }
  // A broken connection is no packet's fate, and a storm nothing that a connection lets through.
  faults.every[static_cast<size_t>(ordered ? Fault::kStorm : Fault::kReset)].reset();
  if (!ordered && !calm) faults.every[static_cast<size_t>(Fault::kStorm)] = seconds(2);
  faults.lasts = {milliseconds(random->Between(5, 300)), milliseconds(random->Between(300, 8'000))};
  faults.wipes_max = static_cast<uint32_t>(random->Between(1, 2));
  return faults;
}

// Likewise a draw of its own.
void DrawFullDisks(Random random, Plan* plan) {
  if (!random.Chance(1, 4)) return;
  plan->faults.every[static_cast<size_t>(Fault::kDiskFull)] =
      DrawLength(&random, milliseconds(500), seconds(10));
}

// Its own draw, so that what a seed says otherwise stays as it was. What rots must be found without
// a read.
void DrawRot(Random random, Plan* plan) {
  plan->node.scrub_period = Duration{};
  if (!random.Chance(1, 4)) return;
  plan->faults.every[static_cast<size_t>(Fault::kRot)] =
      DrawLength(&random, milliseconds(200), seconds(10));
  plan->node.scrub_period = DrawLength(&random, milliseconds(100), seconds(5));
}

// Likewise. Clocks of no machine are as bad as the worst of these.
void DrawDrift(Random random, Plan* plan) {
  if (!random.Chance(1, 4)) return;
  plan->drift_ppm_max = static_cast<uint32_t>(random.Between(10, 50'000));
  plan->faults.every[static_cast<size_t>(Fault::kDrift)] =
      DrawLength(&random, milliseconds(200), seconds(10));
}

void DrawLostZones(Random random, Plan* plan) {
  if (plan->zones == 1 || !random.Chance(1, 4)) return;
  plan->faults.every[static_cast<size_t>(Fault::kZone)] =
      DrawLength(&random, seconds(1), seconds(20));
}

// Restarts one after the other, in some runs for the sake of another version.
void DrawUpgrades(Random random, Plan* plan) {
  if (!random.Chance(1, 4)) return;
  plan->faults.every[static_cast<size_t>(Fault::kRolling)] =
      DrawLength(&random, seconds(1), seconds(20));
  plan->mixed = random.Chance(1, 2);
}

// How soon a node asks somebody else.
void DrawPatience(Random random, Plan* plan) {
  if (!random.Chance(1, 4)) return;
  plan->node.hedge_min = milliseconds(random.Between(1, 20));
  plan->node.hedge_max = milliseconds(random.Between(20, 500));
  plan->node.stand_in_after = milliseconds(random.Between(20, 1'000));
}

// Most bugs show in few nodes, and sooner there.
std::optional<uint32_t> DrawManyNodes(Random random) {
  constexpr uint32_t kMany = 10;
  if (!random.Chance(1, 300)) return std::nullopt;
  return static_cast<uint32_t>(random.Between(kMany, kNodesMax));
}

// Who founds the cluster, and whether members come and go. Where they do, no bucket has more
// replicas than there are always members, so that what a quorum says stays the same.
void DrawMembership(Random* random, Plan* plan) {
  constexpr uint32_t kMembersMin = 3;
  plan->founders = plan->nodes;
  plan->node.membership.partition_bits = plan->partition_bits;
  auto& every = plan->faults.every;
  const bool changes = plan->nodes >= kMembersMin && random->Chance(1, 2);
  if (!changes) every[static_cast<size_t>(Fault::kLeave)].reset();
  // The loss of one of two cannot be voted on, and of one alone there is nothing left.
  if (plan->nodes < kMembersMin) every[static_cast<size_t>(Fault::kWipe)].reset();
  if (!changes) return;
  plan->founders = static_cast<uint32_t>(random->Between(kMembersMin, plan->nodes));
  plan->found = random->Chance(1, 3);
  for (BucketPlan& bucket : plan->buckets) {
    node::BucketProperties& has = bucket.properties;
    has.n = std::min<uint8_t>(has.n, kMembersMin);
    for (auto* figure : {&has.r, &has.w}) {
      if (*figure) *figure = std::min(**figure, has.n);
    }
    has.pr = std::min(has.pr, has.n);
    has.pw = std::min(has.pw, has.n);
  }
}

// In some runs where members come and go they come by order, and take over from each other.
void DrawJoining(Random* random, Plan* plan) {
  const auto& every = plan->faults.every;
  const bool go = every[static_cast<size_t>(Fault::kLeave)].has_value();
  if ((plan->founders == plan->nodes && !go) || random->Chance(1, 2)) return;
  plan->joining = random->Chance(1, 2) ? Plan::Joining::kWaiting : Plan::Joining::kOrdered;
  plan->faults.every[static_cast<size_t>(Fault::kReplace)] =
      DrawLength(random, milliseconds(200), seconds(5));
}

}  // namespace

Plan DrawPlan(const PlanOptions& options) {
  Random random(options.seed);
  Plan plan;
  plan.seed = options.seed;
  plan.nodes =
      static_cast<uint32_t>(random.Chance(3, 4) ? random.Between(3, 5) : random.Between(1, 9));
  plan.nodes = DrawManyNodes(Random(options.seed ^ 0x6d616e79)).value_or(plan.nodes);
  if (options.nodes) plan.nodes = std::clamp(*options.nodes, 1u, kNodesMax);
  plan.zones = static_cast<uint32_t>(random.Between(1, 3));
  plan.partition_bits = static_cast<unsigned>(random.Between(0, 6));
  plan.node.lease_wait = milliseconds(random.Between(100, 1'000));
  if (random.Chance(1, 6)) plan.node.operations_max = random.Between(8, 40);
  if (random.Chance(1, 6)) plan.node.recent_requests_max = random.Between(1, 40);
  plan.node.anti_entropy_period = Duration{};
  if (random.Chance(1, 2)) {
    plan.node.anti_entropy_period = DrawLength(&random, milliseconds(200), seconds(20));
    plan.node.tree_age_max = random.Chance(1, 3) ? seconds(random.Between(1, 20)) : Duration{};
    plan.converge_unread = random.Chance(3, 4);
  }
  plan.buckets = DrawBuckets(&random);
  plan.network = DrawNetwork(&random);
  // A fence rests on the order of messages, which connections keep and packets do not.
  plan.node.reap_after = Duration{};
  if (plan.network.ordered && random.Chance(1, 2)) {
    plan.node.reap_after = DrawLength(&random, milliseconds(100), seconds(5));
  }
  plan.disk = DrawDisk(&random);
  plan.workload = DrawWorkload(&random);
  if (options.operations_per_second) {
    plan.workload.operations_per_second = *options.operations_per_second;
  }
  plan.faults = DrawFaults(&random, plan.network.ordered);
  if (random.Chance(1, 2)) plan.clock_skew_max = milliseconds(random.Between(1, 60'000));
  plan.codec = random.Chance(1, 16);
  DrawMembership(&random, &plan);
  if (random.Chance(1, 6)) plan.hint_bytes_max = random.Between(1, 4'000);
  if (random.Chance(1, 4)) {
    for (BucketPlan& bucket : plan.buckets) {
      bucket.properties.siblings_max = static_cast<uint32_t>(random.Between(1, 6));
    }
  }
  DrawJoining(&random, &plan);
  DrawRot(Random(options.seed ^ 0x726f74), &plan);
  DrawFullDisks(Random(options.seed ^ 0x66756c6c), &plan);
  DrawDrift(Random(options.seed ^ 0x64726966), &plan);
  DrawLostZones(Random(options.seed ^ 0x7a6f6e65), &plan);
  DrawUpgrades(Random(options.seed ^ 0x75706772), &plan);
  DrawPatience(Random(options.seed ^ 0x70617469), &plan);
  for (size_t kind = 0; kind < kFaults; ++kind) {
    if (options.without[kind]) plan.faults.every[kind].reset();
  }
  return plan;
}

std::string DescribePlan(const Plan& plan) {
  const auto ms = [](Duration length) { return static_cast<double>(length.count()) / 1'000.0; };
  std::string text = fmt::format(
      "{} nodes ({} {}founders{}) in {} zones, 2^{} partitions; {} network {}..{} ms; sync {}..{} "
      "ms\n",
      plan.nodes, plan.founders, plan.found ? "empty " : "",
      plan.joining == Plan::Joining::kFreely ? "" : ", others by order", plan.zones,
      plan.partition_bits, plan.network.ordered ? "ordered" : "hostile",
      ms(plan.network.delay.least), ms(plan.network.delay.most), ms(plan.disk.sync.least),
      ms(plan.disk.sync.most));
  if (plan.node.anti_entropy_period > Duration{}) {
    text += fmt::format("anti-entropy each {} ms{}\n", ms(plan.node.anti_entropy_period),
                        plan.converge_unread ? ", and no read at the end" : "");
  }
  if (plan.node.reap_after > Duration{}) {
    text += fmt::format("the dead are reaped after {} ms\n", ms(plan.node.reap_after));
  }
  if (plan.hint_bytes_max != storage::HintLedger::kBytesMaxDefault) {
    text += fmt::format("at most {} bytes of hints for each node\n", plan.hint_bytes_max);
  }
  if (plan.node.scrub_period > Duration{}) {
    text += fmt::format("all is read every {} ms\n", ms(plan.node.scrub_period));
  }
  if (plan.drift_ppm_max > 0) {
    text += fmt::format("clocks are up to {} millionths too fast or slow\n", plan.drift_ppm_max);
  }
  if (plan.node.hedge_max != node::NodeOptions().hedge_max) {
    text +=
        fmt::format("another replica is asked after {}..{} ms, a stand-in after {} ms\n",
                    ms(plan.node.hedge_min), ms(plan.node.hedge_max), ms(plan.node.stand_in_after));
  }
  if (plan.mixed) text += "nodes of two versions\n";
  for (const BucketPlan& bucket : plan.buckets) {
    const node::BucketProperties& has = bucket.properties;
    text += fmt::format("bucket {}: n={}", bucket.name, has.n);
    if (has.r) text += fmt::format(" r={}", *has.r);
    if (has.w) text += fmt::format(" w={}", *has.w);
    if (has.ttl.count() != 0) text += fmt::format(" ttl={} ms", has.ttl.count());
    if (has.conflict == node::Conflict::kLastWriter) text += " lww";
    if (has.siblings_max != node::BucketProperties().siblings_max) {
      text += fmt::format(" siblings<={}", has.siblings_max);
    }
    if (has.durability) text += fmt::format(" durability={}", static_cast<int>(*has.durability));
    text += '\n';
  }
  text += fmt::format(
      "{} clients, {} keys a bucket, {} operations a second\nfaults:", plan.workload.clients,
      plan.workload.keys_per_bucket, plan.workload.operations_per_second);
  for (size_t kind = 0; kind < kFaults; ++kind) {
    if (const auto every = plan.faults.every[kind]) {
      text += fmt::format(" {} (every {:.1f} s)", kFaultNames[kind], ms(*every) / 1'000.0);
    }
  }
  return text + "\n";
}

}  // namespace eddy::sim
