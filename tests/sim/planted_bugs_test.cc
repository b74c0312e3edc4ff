// The judge is judged: each bug of sim/planted_bug.h is found within so many seeds.

#include <string>

#include <gtest/gtest.h>

#include "sim/mutants.h"

namespace eddy::sim {
namespace {

struct Planted {
  PlantedBug bug;
  uint64_t seeds_max;
};

class PlantedBugs : public ::testing::TestWithParam<Planted> {};

TEST_P(PlantedBugs, AreFound) {
  const Mutant mutant = HuntMutant(GetParam().bug, GetParam().seeds_max);
  EXPECT_NE(mutant.violation, "") << "not found in " << mutant.seeds << " seeds";
  RecordProperty("seeds_needed", std::to_string(mutant.seeds));
}

// Some three times what each needed when it was planted.
INSTANTIATE_TEST_SUITE_P(
    All, PlantedBugs,
    ::testing::Values(
        Planted{PlantedBug::kAckBeforeSync, 460}, Planted{PlantedBug::kForgetHistory, 600},
        Planted{PlantedBug::kReuseCounters, 45}, Planted{PlantedBug::kDropJoin, 15},
        Planted{PlantedBug::kOverwriteJoin, 5}, Planted{PlantedBug::kPutSeesAll, 5},
        Planted{PlantedBug::kPutSeesNothing, 5}, Planted{PlantedBug::kDeleteErases, 6},
        Planted{PlantedBug::kErrorIsAbsent, 50}, Planted{PlantedBug::kStaleRead, 5},
        Planted{PlantedBug::kSameAlways, 9}, Planted{PlantedBug::kNoRequestIds, 12},
        Planted{PlantedBug::kUnknownIsNotDone, 5}, Planted{PlantedBug::kNoAnswer, 5},
        Planted{PlantedBug::kTwoAnswers, 5}, Planted{PlantedBug::kFlipBit, 5},
        Planted{PlantedBug::kDropHint, 600}, Planted{PlantedBug::kHintUnacked, 350},
        Planted{PlantedBug::kHintsStay, 9}, Planted{PlantedBug::kHintAsOwn, 120},
        Planted{PlantedBug::kNoSync, 20}, Planted{PlantedBug::kTreeMissed, 20},
        Planted{PlantedBug::kTreeSameAlways, 100}, Planted{PlantedBug::kSegmentForgets, 30},
        Planted{PlantedBug::kSyncedAtOnce, 200}, Planted{PlantedBug::kLayoutsForgotten, 210},
        Planted{PlantedBug::kHandoverKeeps, 65}, Planted{PlantedBug::kHandoverUnheard, 15},
        Planted{PlantedBug::kGossipMute, 5}, Planted{PlantedBug::kReapUnasked, 1600},
        Planted{PlantedBug::kReapNever, 20}, Planted{PlantedBug::kSiblingsUncapped, 30},
        Planted{PlantedBug::kJoinUnasked, 120}, Planted{PlantedBug::kTakenAtOnce, 600},
        Planted{PlantedBug::kDamageForgotten, 3400}, Planted{PlantedBug::kNewerRefused, 60},
        Planted{PlantedBug::kStageMute, 300}, Planted{PlantedBug::kLimitsForgotten, 18}),
    [](const auto& planted) {
      std::string name(kPlantedBugNames[static_cast<size_t>(planted.param.bug)]);
      std::erase(name, '-');
      return name;
    });

TEST(PlantedBugs, WhatIsNotThereIsNotFound) {
  const Mutant mutant = HuntMutant(PlantedBug::kNone, 3);
  EXPECT_EQ(mutant.violation, "");
  EXPECT_EQ(mutant.seeds, 3u);
}

TEST(PlantedBugs, NoneIsLeftOut) {
  // The list above has every bug that there is.
  EXPECT_EQ(static_cast<size_t>(PlantedBug::kCount), 39u);
}

}  // namespace
}  // namespace eddy::sim
