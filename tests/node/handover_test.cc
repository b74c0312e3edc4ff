// Where a node looks for what is not its own; the simulator hands records over under faults.
#include "node/handover.h"

#include <set>

#include <gmock/gmock.h>

#include "ring/partition.h"
#include "storage/key.h"
#include "tests/node/bench.h"

namespace eddy::node {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class HandoverTest : public ::testing::Test {
 protected:
  HandoverTest()
      : layout_(LayoutOf(5)),
        peers_(Bench::Self()),
        topology_(LayoutOf(1), &peers_),
        handover_(layout_.partition_bits()) {
    topology_.Relay(ring::LayoutHistory(layout_), layout_.version());
    handover_.Relay(topology_, {3});
    Run([](uint32_t) {});
    EXPECT_TRUE(handover_.done());
    for (uint32_t partition = 0; foreign_.size() < 2; ++partition) {
      if (handover_.MayBeForeign(partition)) foreign_.push_back(partition);
    }
  }

  // Reads until nothing is left to be read, and finds nothing; `while_reading` is told of each
  // partition before its page comes.
  template <class WhileReading>
  std::multiset<uint32_t> Run(WhileReading while_reading) {
    std::multiset<uint32_t> read;
    OpContext context{.now = {},
                      .options = options_,
                      .peers = peers_,
                      .counters = counters_,
                      .clock = clock_,
                      .hints = hints_,
                      .budget = budget_,
                      .effects = effects_};
    for (int step = 0; step < 1'000 && !handover_.done(); ++step) {
      const auto verb = handover_.NextScan(context);
      if (!verb) continue;
      const uint32_t partition =
          layout_.PartitionOf(ring::Token{storage::TokenOfKey(verb->key)}).value;
      read.insert(partition);
      while_reading(partition);
      handover_.OnScanned(context, {.id = verb->id, .record = std::string()});
    }
    EXPECT_TRUE(handover_.done());
    return read;
  }

  const ring::Layout layout_;
  const NodeOptions options_;
  Peers peers_;
  NodeCounters counters_;
  HybridClock clock_;
  HintBook hints_;
  BackgroundBudget budget_{{}};
  Effects effects_;
  Topology topology_;
  Handover handover_;
  std::vector<uint32_t> foreign_;  // two of them, ascending
};

TEST_F(HandoverTest, WhatIsNotedIsLookedAt) {
  EXPECT_THAT(Run([](uint32_t) {}), IsEmpty());
  handover_.NoteForeign(foreign_[0]);
  EXPECT_FALSE(handover_.done());
  EXPECT_THAT(Run([](uint32_t) {}), UnorderedElementsAre(foreign_[0]));
}

TEST_F(HandoverTest, WhatComesToThePartitionThatIsReadHasItReadAgain) {
  handover_.NoteForeign(foreign_[0]);
  int noted = 0;
  EXPECT_THAT(Run([&](uint32_t partition) {
                if (noted++ == 0) handover_.NoteForeign(partition);
              }),
              UnorderedElementsAre(foreign_[0], foreign_[0]));
}

TEST_F(HandoverTest, WhatComesToAnEarlierPartitionMeanwhileIsNotTakenForRead) {
  handover_.NoteForeign(foreign_[1]);
  EXPECT_THAT(Run([&](uint32_t partition) {
                if (partition == foreign_[1]) handover_.NoteForeign(foreign_[0]);
              }),
              UnorderedElementsAre(foreign_[0], foreign_[1]));
}

}  // namespace
}  // namespace eddy::node
