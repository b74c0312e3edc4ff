#include "bench/store/clients.h"

#include <fstream>
#include <utility>

#include "base/check.h"
#include "bench/store/stopwatch.h"
#include "server/memory_plan.h"
#include "storage/rocks_engine.h"

namespace eddy::bench {

using storage::Durability;
using storage::Stage;
using storage::StoreResult;
using storage::StoreVerb;

namespace {

constexpr uint64_t kMemoryLimit = uint64_t{256} << 20;
constexpr unsigned kPartitionBits = 8;

// How long this thread has been ready without a processor, in nanoseconds.
uint64_t RunDelay() {
  std::ifstream file("/proc/thread-self/schedstat");
  uint64_t ran = 0;
  uint64_t waited = 0;
  file >> ran >> waited;
  return waited;
}

}  // namespace

Clients::Clients(const std::string& path) {
  CHECK(uv_loop_init(&loop_) == 0);
  const auto plan = server::PlanMemory(
      {.limit_bytes = kMemoryLimit, .partitions = uint64_t{1} << kPartitionBits});
  CHECK(plan.has_value());
  auto engine = storage::RocksEngine::Open({.path = path, .memory_limit_bytes = plan->engine});
  CHECK(engine.has_value());
  engine_ = *std::move(engine);
  trees_.emplace(
      storage::TreeKeeper::Options{.partition_bits = kPartitionBits,
                                   .replicas_of = [](std::string_view) -> uint8_t { return 3; }});
  runner_ = std::make_unique<server::StoreRunner>(
      &loop_, engine_.get(), storage::Lease{}, &*trees_, storage::HintLedger(),
      server::StoreRunnerOptions{.record_cache_bytes = plan->records}, [this] { arrived_ = true; });
  std::vector<StoreVerb> verbs;
  std::vector<StoreResult> results;
  for (uint64_t i = 0; i < kKeys; ++i) {
    verbs.push_back(MakePut(Durability::kOs, KeyAt(i)));
    if (verbs.size() < kClients && i + 1 < kKeys) continue;
    runner_->Execute(&verbs, &results);
    while (!runner_->idle()) {
      runner_->Commit(&results);
      uv_run(&loop_, UV_RUN_NOWAIT);
      runner_->TakeArrived(&results);
    }
    results.clear();
  }
  CHECK(engine_->Flush().has_value());
}

Clients::~Clients() {
  runner_->Close();
  uv_run(&loop_, UV_RUN_DEFAULT);
  runner_.reset();
  CHECK(uv_loop_close(&loop_) == 0);
}

StoreVerb Clients::MakePut(Durability durability, std::string key) {
  storage::PutVerb put;
  put.sibling = {.dot = {.actor = {1, 1}, .counter = ++counter_},
                 .value = std::string(kValueBytes, 'v')};
  return {.key = std::move(key), .durability = durability, .action = std::move(put)};
}

std::string Clients::RecordBytes() {
  std::string record;
  CHECK(engine_->Get(storage::Space::kData, KeyAt(0), storage::Tier::kDisk, &record) ==
        storage::Presence::kFound);
  return record;
}

template <class Next>
Measured Clients::Run(double seconds, Stage ends_at, Histogram* turn_us, Next next) {
  const Stopwatch watch;
  uint64_t ended = 0;
  size_t free = kClients;
  std::vector<StoreVerb> verbs;
  std::vector<StoreResult> results;
  const auto take = [&] {
    for (const StoreResult& result : results) {
      CHECK(result.record.has_value());
      if (result.stage == ends_at) ++free, ++ended;
    }
    results.clear();
  };
  while (watch.Seconds() < seconds) {
    const uint64_t delay = turn_us == nullptr ? 0 : RunDelay();
    const Stopwatch turn;
    if (std::exchange(arrived_, false)) runner_->TakeArrived(&results);
    take();
    for (; free > 0; --free) verbs.push_back(next());
    runner_->Execute(&verbs, &results);
    runner_->Commit(&results);
    take();
    if (turn_us != nullptr) {
      const double net = turn.Seconds() * 1e6 - static_cast<double>(RunDelay() - delay) / 1e3;
      turn_us->Add(static_cast<uint64_t>(std::max(net, 0.0)));
    }
    // Where nobody is free, something is to come, or (a stall) to be tried again.
    uv_run(&loop_, free > 0 || engine_->Health().stalled ? UV_RUN_NOWAIT : UV_RUN_ONCE);
  }
  const Measured measured = watch.Stop(ended);
  while (!runner_->idle()) {
    runner_->Commit(&results);
    uv_run(&loop_, UV_RUN_NOWAIT);
    runner_->TakeArrived(&results);
    results.clear();
  }
  return measured;
}

Measured Clients::Put(Durability durability, double seconds, Histogram* turn_us) {
  return Run(seconds, Stage::kDurable, turn_us, [&] { return MakePut(durability, keys_.Next()); });
}

Measured Clients::Get(double seconds) {
  return Run(seconds, Stage::kApplied, nullptr,
             [&] { return StoreVerb{.key = keys_.Next(), .action = storage::ReadVerb{}}; });
}

}  // namespace eddy::bench
