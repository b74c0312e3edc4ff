#include "tools/load_tally.h"

#include <set>

#include <gtest/gtest.h>

namespace eddy::tools {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

MonotonicTime At(Duration since_begin) { return MonotonicTime(seconds(1000)) + since_begin; }

TEST(LoadTally, AClosedLoopCountsWhatIsAnsweredAfterTheWarmUp) {
  LoadTally tally;
  tally.Done(LoadKind::kRead, false, At(milliseconds(-50)), At(milliseconds(-40)));
  tally.Failed(LoadErrorClass::kBusy, "full", At(milliseconds(-50)), At(milliseconds(-40)));
  tally.Begin(false, At({}));
  tally.Done(LoadKind::kRead, false, At(milliseconds(-5)), At(milliseconds(5)));
  const LoadResult result = tally.End(At(seconds(1)), At(seconds(1)));
  EXPECT_EQ(result.operations, 1u);
  EXPECT_EQ(result.latency_us.max(), 10'000u);
  EXPECT_EQ(result.error_count(), 0u);
}

TEST(LoadTally, AnOpenLoopCountsWhatWasDueAfterTheWarmUp) {
  LoadTally tally;
  tally.Begin(true, At({}));
  tally.Sent(At(milliseconds(-5)), At(milliseconds(5)));
  tally.Done(LoadKind::kRead, false, At(milliseconds(-5)), At(milliseconds(5)));
  tally.Sent(At({}), At(milliseconds(1)));
  tally.Done(LoadKind::kRead, false, At({}), At(milliseconds(5)));
  tally.Sent(At(milliseconds(1)), At(Duration(2'001)));
  const LoadResult result = tally.End(At(seconds(1)), At(seconds(1)));
  EXPECT_EQ(result.operations, 1u);
  EXPECT_EQ(result.late, 1u) << "the last one alone left more than 1 ms after it was due";
}

TEST(LoadTally, EachSecondIsGivenOnce) {
  LoadTally tally;
  EXPECT_TRUE(tally.TakeSeconds(At(seconds(-1))).empty());
  tally.Begin(false, At({}));
  tally.Done(LoadKind::kRead, false, At(milliseconds(100)), At(milliseconds(200)));
  tally.Done(LoadKind::kUpdate, false, At(milliseconds(100)), At(milliseconds(999)));
  EXPECT_TRUE(tally.TakeSeconds(At(milliseconds(999))).empty());
  tally.Failed(LoadErrorClass::kTimeout, "late", At({}), At(milliseconds(1'000)));
  const auto first = tally.TakeSeconds(At(milliseconds(1'001)));
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].operations, 2u);
  EXPECT_EQ(first[0].errors, 0u);
  EXPECT_EQ(first[0].max_us, 899'000u);
  EXPECT_EQ(first[0].OperationsPerSecond(), 2.0);
  EXPECT_TRUE(tally.TakeSeconds(At(milliseconds(1'001))).empty());

  const LoadResult result = tally.End(At(milliseconds(3'250)), At(milliseconds(3'250)));
  ASSERT_EQ(result.seconds.size(), 4u);
  EXPECT_EQ(result.seconds[1].errors, 1u);
  EXPECT_EQ(result.seconds[2].operations, 0u) << "a second in which nothing happened is one, too";
  EXPECT_EQ(result.seconds[2].p99_us, 0u);
  EXPECT_EQ(result.seconds[3].length, milliseconds(250));
  EXPECT_EQ(result.elapsed, milliseconds(3'250));
  EXPECT_NEAR(result.OperationsPerSecond(), 2 / 3.25, 1e-9);
}

TEST(LoadTally, ARestThatIsTooShortBelongsToTheSecondBefore) {
  LoadTally tally;
  tally.Begin(false, At({}));
  tally.Done(LoadKind::kRead, false, At({}), At(milliseconds(500)));
  tally.Done(LoadKind::kRead, false, At(milliseconds(200)), At(milliseconds(1'010)));
  tally.Failed(LoadErrorClass::kBusy, "full", At({}), At(milliseconds(1'020)));
  const LoadResult result = tally.End(At(milliseconds(1'050)), At(milliseconds(1'050)));
  ASSERT_EQ(result.seconds.size(), 1u);
  EXPECT_EQ(result.seconds[0].length, milliseconds(1'050));
  EXPECT_EQ(result.seconds[0].operations, 2u);
  EXPECT_EQ(result.seconds[0].errors, 1u);
  EXPECT_EQ(result.seconds[0].max_us, 810'000u);

  LoadTally little;
  little.Begin(false, At({}));
  little.Done(LoadKind::kRead, false, At({}), At(milliseconds(10)));
  EXPECT_EQ(little.End(At(milliseconds(20)), At(milliseconds(20))).seconds.size(), 1u);
}

TEST(LoadTally, ErrorsAreCountedByClassWithTheFirstText) {
  LoadTally tally;
  tally.Begin(false, At({}));
  tally.Failed(LoadErrorClass::kConnection, "reset", At({}), At(milliseconds(1)));
  tally.Failed(LoadErrorClass::kConnection, "closed", At({}), At(milliseconds(2)));
  tally.Failed(LoadErrorClass::kQuorum, "too few", At({}), At(milliseconds(3)));
  const LoadResult result = tally.End(At(seconds(1)), At(seconds(1)));
  EXPECT_EQ(result.error_count(), 3u);
  EXPECT_EQ(result.errors.at(LoadErrorClass::kConnection).count, 2u);
  EXPECT_EQ(result.errors.at(LoadErrorClass::kConnection).example, "reset");
  EXPECT_EQ(result.errors.at(LoadErrorClass::kQuorum).count, 1u);
}

TEST(LoadTally, KindsHaveLatenciesOfTheirOwn) {
  LoadTally tally;
  tally.Begin(false, At({}));
  tally.Done(LoadKind::kRead, true, At({}), At(milliseconds(1)));
  tally.Done(LoadKind::kUpdate, false, At({}), At(milliseconds(9)));
  const LoadResult result = tally.End(At(seconds(1)), At(seconds(1)));
  EXPECT_EQ(result.absent, 1u);
  ASSERT_EQ(result.latency_us_of.size(), 2u);
  EXPECT_EQ(result.latency_us_of.at(LoadKind::kRead).max(), 1'000u);
  EXPECT_EQ(result.latency_us_of.at(LoadKind::kUpdate).max(), 9'000u);
}

TEST(LoadTally, ThePauseIsTheLongestTimeWithoutAnAnswer) {
  LoadTally tally;
  tally.Begin(false, At({}));
  tally.Done(LoadKind::kRead, false, At({}), At(milliseconds(100)));
  // An error is no answer.
  tally.Failed(LoadErrorClass::kQuorum, "too few", At({}), At(milliseconds(300)));
  tally.Done(LoadKind::kRead, false, At({}), At(milliseconds(500)));
  tally.Done(LoadKind::kRead, false, At({}), At(milliseconds(600)));
  const LoadResult result = tally.End(At(milliseconds(700)), At(milliseconds(700)));
  EXPECT_EQ(result.longest_pause, milliseconds(400));
  EXPECT_EQ(result.longest_pause_at, milliseconds(100));
}

TEST(LoadTally, SilenceAtEitherEndIsAPauseUntilNothingIsAskedAnyMore) {
  LoadTally silent;
  silent.Begin(true, At({}));
  const LoadResult nothing = silent.End(At(seconds(8)), At(seconds(3)));
  EXPECT_EQ(nothing.longest_pause, seconds(3));

  LoadTally drained;
  drained.Begin(true, At({}));
  drained.Done(LoadKind::kRead, false, At({}), At(milliseconds(100)));
  drained.Done(LoadKind::kRead, false, At({}), At(milliseconds(3'100)));
  EXPECT_EQ(drained.End(At(seconds(8)), At(seconds(2))).longest_pause, seconds(3));
}

TEST(LoadTally, EveryCodeHasAClassAndEveryClassAName) {
  std::set<std::string_view> names;
  for (int code = 1; IsCode(static_cast<uint8_t>(code)); code++) {
    names.insert(NameOf(LoadErrorClassOf(static_cast<Code>(code))));
  }
  EXPECT_EQ(names, (std::set<std::string_view>{"timeout", "busy", "quorum", "unknown", "storage",
                                               "refused"}));
  EXPECT_EQ(NameOf(LoadErrorClass::kConnection), "connection");
}

}  // namespace
}  // namespace eddy::tools
