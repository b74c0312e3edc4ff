// What members say of the data that they move, put together and into words.
#include "tools/transfers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eddy::tools {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Json Said(uint64_t partitions, uint64_t copied, uint64_t bytes) {
  return {{"layout", 4},
          {"elapsed_ms", 2000},
          {"partitions", partitions},
          {"copied", copied},
          {"checked", 0},
          {"sources", Json::array({{{"from", "n1"},
                                    {"comparisons", partitions},
                                    {"copied", copied},
                                    {"checked", 0},
                                    {"records", 1200},
                                    {"bytes", bytes}}})},
          {"partitions_to_hand_over", 0},
          {"handed_over", true},
          {"bytes_per_second", 64 << 20},
          {"background_percent", 50}};
}

Json Idle() {
  Json said = Said(0, 0, 0);
  said["elapsed_ms"] = nullptr;
  said["sources"] = Json::array();
  return said;
}

TEST(Transfers, WhatIsDoneSaysWhatTheRestTakes) {
  const TransferEstimate none = EstimateTransfer({.partitions = 8});
  EXPECT_EQ(none.bytes_left, std::nullopt);
  EXPECT_EQ(none.seconds_left, std::nullopt);
  const TransferEstimate some =
      EstimateTransfer({.partitions = 8, .copied = 2, .bytes = 1000, .elapsed_ms = 500});
  EXPECT_EQ(some.bytes_per_second, 2000u);
  EXPECT_EQ(some.bytes_left, 3000u);
  EXPECT_EQ(some.seconds_left, 2u) << "1.5 s, rounded up";
  const TransferEstimate all =
      EstimateTransfer({.partitions = 8, .copied = 8, .bytes = 1000, .elapsed_ms = 500});
  EXPECT_EQ(all.bytes_left, 0u);
  EXPECT_EQ(all.seconds_left, 0u);
}

TEST(Transfers, TellsOfReceiversOfGiversAndOfTheSilent) {
  Json giver = Idle();
  giver["handed_over"] = false;
  giver["partitions_to_hand_over"] = 3;
  Json receiver = Said(8, 2, 4096);
  receiver["handed_over"] = false;  // it has not begun to
  const Json merged =
      MergeTransfers({{"n1", giver}, {"n2", Idle()}, {"n3", Json(nullptr)}, {"n4", receiver}});
  EXPECT_EQ(merged["moving"], true);
  EXPECT_EQ(merged["silent"], Json::array({"n3"}));
  ASSERT_EQ(merged["receivers"].size(), 1u);
  EXPECT_EQ(merged["receivers"][0]["bytes_left"], 3 * 4096);
  EXPECT_THAT(
      DescribeTransfers(merged),
      ElementsAre(HasSubstr("comparisons"), HasSubstr("2 of 8"),
                  "n4 [#####---------------] 2 of 8 partitions, 4.0 KiB fetched, about 12.0 KiB "
                  "left; 2.0 KiB a second, about 6 s left; slowed down to 50% for clients",
                  "n1 hands over what is not its own any more: 3 partitions to look through",
                  "n3 does not answer"));
}

TEST(Transfers, SaysThatNothingMoves) {
  const Json merged = MergeTransfers({{"n1", Idle()}});
  EXPECT_EQ(merged["moving"], false);
  EXPECT_THAT(DescribeTransfers(merged), ElementsAre("Nothing moves."));
  EXPECT_THROW(MergeTransfers({{"n1", Json::object()}}), Json::exception);
}

}  // namespace
}  // namespace eddy::tools
