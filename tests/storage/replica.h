// A replica for tests: identity, store and memory engine together, with the counter that a node
// keeps, so that a test can write, crash, restart and tamper in single steps.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/check.h"
#include "base/random.h"
#include "lattice/record.h"
#include "storage/identity.h"
#include "storage/key.h"
#include "storage/memory_engine.h"
#include "storage/record_codec.h"
#include "storage/store.h"

namespace eddy::storage {

class Replica {
 public:
  explicit Replica(uint64_t number) : node_{.high = 7, .low = number}, random_(number) { Start(); }

  MemoryEngine& engine() { return engine_; }
  Store& store() { return *store_; }
  const Identity& identity() const { return identity_; }

  // Each of these is one turn of its own, synced.
  lattice::Record Put(const std::string& value,
                      const std::optional<lattice::CausalContext>& seen = std::nullopt) {
    Apply(MakePut(value, seen));
    return Read();
  }
  lattice::Record Delete(const std::optional<lattice::CausalContext>& seen = std::nullopt) {
    Apply(DeleteVerb{seen});
    return Read();
  }
  void Join(const lattice::Record& record) { Apply(JoinVerb{EncodeRecord(record)}); }

  // Acknowledged by this replica's memory only: the next crash takes it.
  lattice::Record PutUnsynced(const std::string& value,
                              const std::optional<lattice::CausalContext>& seen = std::nullopt) {
    std::vector<StoreResult> results;
    StoreVerb verb{1, Key(), Durability::kSync, MakePut(value, seen)};
    CHECK(store_->Execute(&verb, Tier::kDisk, &results));
    store_->Commit(&results);
    return *DecodeRecord(*results.front().record);
  }

  lattice::Record Read() {
    std::vector<StoreResult> results;
    StoreVerb verb{1, Key(), Durability::kSync, ReadVerb{}};
    CHECK(store_->Execute(&verb, Tier::kDisk, &results));
    return *DecodeRecord(*results.front().record);
  }

  // A power loss and a start.
  void Crash() {
    engine_.Crash();
    Start();
  }
  // A clean stop and a start.
  void Restart() {
    CHECK(CloseIdentity(&engine_, identity_.history).has_value());
    Start();
  }
  // Somebody takes the record's row out of the database; nothing else is amiss.
  void LoseTheRow() {
    CHECK(engine_.Write({{Space::kData, Key(), std::nullopt}}, Logging::kLogged).has_value());
    CHECK(engine_.Sync().has_value());
  }

  static std::string Key() { return EncodeKey({.token = 1, .bucket = "bucket", .key = "key"}); }

 private:
  void Start() {
    Result<Identity> identity =
        OpenIdentity(&engine_, {.cluster = "test", .node = node_}, &random_);
    CHECK(identity.has_value());
    identity_ = *std::move(identity);
    counter_ = identity_.lease.begin;
    store_.emplace(&engine_, identity_.lease);
  }

  PutVerb MakePut(const std::string& value, const std::optional<lattice::CausalContext>& seen) {
    return PutVerb{seen,
                   {.dot = {identity_.lease.actor, ++counter_}, .timestamp = {}, .value = value},
                   identity_.history};
  }

  void Apply(decltype(StoreVerb::action) action) {
    std::vector<StoreResult> results;
    StoreVerb verb{1, Key(), Durability::kSync, std::move(action)};
    CHECK(store_->Execute(&verb, Tier::kDisk, &results));
    const uint64_t commit = store_->Commit(&results);
    store_->Synced(commit, engine_.Sync(), &results);
    for (const StoreResult& result : results) CHECK(result.record.has_value());
    CHECK(results.back().stage == Stage::kDurable);
  }

  const NodeId node_;
  Random random_;
  MemoryEngine engine_;
  Identity identity_;
  uint64_t counter_ = 0;
  std::optional<Store> store_;
};

}  // namespace eddy::storage
