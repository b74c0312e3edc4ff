// The store of one node as eddyd has it (runner, engine, trees, cache of records) on a loop of its
// own, and 64 clients without sockets, each with one operation under way.
#pragma once

#include <uv.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "bench/store/rows.h"
#include "server/store_runner.h"
#include "storage/engine.h"
#include "storage/tree_keeper.h"

namespace eddy::bench {

class Clients {
 public:
  // Fills the store with every key.
  explicit Clients(const std::string& path);
  ~Clients();
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  // `turn_us`: where given, how long each turn took, in microseconds, less the time in which the
  // thread was ready to run and had no processor.
  Measured Put(storage::Durability durability, double seconds, Histogram* turn_us = nullptr);
  Measured Get(double seconds);

  // The bytes of a row's value as the store writes it.
  std::string RecordBytes();

 private:
  storage::StoreVerb MakePut(storage::Durability durability, std::string key);
  // Runs turns until so many seconds are over, with `next` for each client that is free; returns
  // how many operations ended.
  template <class Next>
  Measured Run(double seconds, storage::Stage ends_at, Histogram* turn_us, Next next);

  uv_loop_t loop_;
  std::unique_ptr<storage::Engine> engine_;
  std::optional<storage::TreeKeeper> trees_;
  std::unique_ptr<server::StoreRunner> runner_;
  bool arrived_ = false;
  KeySequence keys_;
  uint64_t counter_ = 0;
};

}  // namespace eddy::bench
