#include "lattice/record.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/lattice/generators.h"

namespace eddy::lattice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint64_t kSx = 1, kSy = 2, kSz = 3;  // the coordinators of the paper's figure 3

Sibling Write(uint64_t actor, uint64_t counter, const std::string& value) {
  return Sibling{.dot = {Actor(actor), counter}, .timestamp = {}, .value = value};
}

std::vector<std::string> Values(const Record& record) {
  std::vector<std::string> values;
  for (const Sibling& sibling : record.siblings()) values.push_back(sibling.value);
  return values;
}

std::vector<Interval> IntervalsOf(const Record& record) {
  return {record.context().intervals().begin(), record.context().intervals().end()};
}

Record Joined(Record left, const Record& right) {
  left.Join(right);
  return left;
}

// Dynamo, section 4.4, figure 3: the evolution of an object from D1 to D5.
TEST(Record, FollowsThePapersFigure) {
  Record d2;
  d2.Put({}, Write(kSx, 1, "D1"), {});
  d2.Put(d2.context(), Write(kSx, 2, "D2"), {});
  EXPECT_THAT(Values(d2), ElementsAre("D2"));

  Record d3 = d2, d4 = d2;
  d3.Put(d2.context(), Write(kSy, 1, "D3"), {});
  d4.Put(d2.context(), Write(kSz, 1, "D4"), {});
  EXPECT_EQ(Joined(d2, d3), d3) << "D3 descends from D2";

  Record both = Joined(d3, d4);
  EXPECT_THAT(Values(both), ElementsAre("D3", "D4"));

  Record d5 = both;
  d5.Put(both.context(), Write(kSx, 3, "D5"), {});
  EXPECT_THAT(Values(d5), ElementsAre("D5"));
  EXPECT_THAT(IntervalsOf(d5), ElementsAre(Interval{Actor(kSx), 0, 3}, Interval{Actor(kSy), 0, 1},
                                           Interval{Actor(kSz), 0, 1}));
  EXPECT_EQ(Joined(Joined(d5, d4), d3), d5);
}

TEST(Record, AWriteReplacesOnlyWhatItsClientHasSeen) {
  Record record;
  record.Put({}, Write(kSx, 1, "first"), {});
  const CausalContext seen = record.context();
  record.Put({}, Write(kSx, 2, "unseen"), {});
  record.Put(seen, Write(kSx, 3, "second"), {});
  EXPECT_THAT(Values(record), ElementsAre("unseen", "second"));
}

TEST(Record, ABlindWriteReplacesNothing) {
  Record record;
  record.Put({}, Write(kSx, 1, "a"), {});
  record.Put({}, Write(kSx, 2, "b"), {});
  EXPECT_THAT(Values(record), ElementsAre("a", "b"));
}

TEST(Record, ADeleteLeavesATombstone) {
  Record record;
  record.Put({}, Write(kSx, 1, "a"), {});
  const Record before = record;
  record.Delete(record.context());
  EXPECT_THAT(record.siblings(), IsEmpty());
  EXPECT_TRUE(record.IsTombstone());
  EXPECT_FALSE(record.empty());
  EXPECT_EQ(Joined(before, record), record) << "a stale replica brings nothing back";
}

TEST(Record, AConcurrentWriteSurvivesADelete) {
  Record record;
  record.Put({}, Write(kSx, 1, "a"), {});
  Record written = record, deleted = record;
  written.Put(record.context(), Write(kSy, 1, "b"), {});
  deleted.Delete(record.context());
  EXPECT_THAT(Values(Joined(written, deleted)), ElementsAre("b"));
  EXPECT_FALSE(Joined(written, deleted).IsTombstone());
}

TEST(Record, DeletingTwiceIsDeletingOnce) {
  Record record;
  record.Put({}, Write(kSx, 1, "a"), {});
  record.Delete(record.context());
  const Record once = record;
  record.Delete(record.context());
  EXPECT_EQ(record, once);
}

TEST(Record, ADeleteRemembersWritesThatThisReplicaNeverSaw) {
  Record elsewhere;
  elsewhere.Put({}, Write(kSy, 1, "a"), {});
  Record here;
  here.Delete(elsewhere.context());
  EXPECT_TRUE(here.IsTombstone());
  EXPECT_THAT(Values(Joined(here, elsewhere)), IsEmpty());
}

TEST(Record, IsEmptyUntilSomethingWasSeen) {
  Record record;
  EXPECT_TRUE(record.empty());
  EXPECT_FALSE(record.IsTombstone());
  record.Delete({});
  EXPECT_TRUE(record.empty());
}

// The history rule (design, section 4): what an own dot may claim to have seen.

TEST(HistoryRule, ADotExtendsTheIntervalOfADotThatIsRemembered) {
  Record record;
  record.Put({}, Write(kSx, 5, "a"), History{5});
  record.Put(record.context(), Write(kSx, 9, "b"), History{5});
  EXPECT_THAT(IntervalsOf(record), ElementsAre(Interval{Actor(kSx), 4, 9}));
}

TEST(HistoryRule, TheFirstDotOfARecordClaimsNothingButItself) {
  Record record;
  record.Put({}, Write(kSx, 7, "a"), History{1});
  EXPECT_THAT(IntervalsOf(record), ElementsAre(Interval{Actor(kSx), 6, 7}));
}

TEST(HistoryRule, ADotOlderThanTheHistoryIsNotExtended) {
  Record record;
  record.Put({}, Write(kSx, 5, "a"), History{1});
  record.Put(record.context(), Write(kSx, 9, "b"), History{6});
  EXPECT_THAT(IntervalsOf(record),
              ElementsAre(Interval{Actor(kSx), 4, 5}, Interval{Actor(kSx), 8, 9}));
  record.Put(record.context(), Write(kSx, 11, "c"), History{6});
  EXPECT_THAT(IntervalsOf(record),
              ElementsAre(Interval{Actor(kSx), 4, 5}, Interval{Actor(kSx), 8, 11}));
}

// The client may have seen a dot of ours that we forgot: its context proves nothing about our
// memory.
TEST(HistoryRule, TheClientsContextDoesNotVouchForOurMemory) {
  CausalContext seen;
  seen.Add(Interval{Actor(kSx), 2, 3});
  Record record;
  record.Put(seen, Write(kSx, 9, "a"), History{1});
  EXPECT_THAT(IntervalsOf(record),
              ElementsAre(Interval{Actor(kSx), 2, 3}, Interval{Actor(kSx), 8, 9}));
}

TEST(HistoryRuleDeathTest, ACounterIsNeverUsedTwice) {
  Record record;
  record.Put({}, Write(kSx, 5, "a"), {});
  EXPECT_DEATH(record.Put({}, Write(kSx, 5, "b"), {}), "CHECK failed");
}

// `lww` buckets: time picks only among concurrent writes.

Sibling At(uint64_t timestamp, uint64_t actor, int64_t expires_at_ms = -1) {
  Sibling sibling = Write(actor, 1, std::to_string(timestamp));
  sibling.timestamp = {timestamp};
  if (expires_at_ms >= 0) {
    sibling.expires_at = WallTime(std::chrono::milliseconds(expires_at_ms));
  }
  return sibling;
}

TEST(LastWriter, IsTheOneWithTheGreatestTimestamp) {
  Record record;
  EXPECT_EQ(record.LastWriter(WallTime()), nullptr);
  for (const uint64_t timestamp : {2, 9, 4}) record.Put({}, At(timestamp, timestamp), {});
  EXPECT_EQ(record.LastWriter(WallTime())->value, "9");
}

TEST(LastWriter, IsTheGreaterDotWhereTimestampsAreEqual) {
  Record record;
  for (const uint64_t actor : {3, 1, 2}) record.Put({}, At(7, actor), {});
  EXPECT_EQ(record.LastWriter(WallTime())->dot.actor, Actor(3));
}

// As in a register whose value has expired: what it replaced does not come back.
TEST(LastWriter, IsNobodyOnceItHasExpired) {
  Record record;
  record.Put({}, At(9, 1, 100), {});
  record.Put({}, At(4, 2, 200), {});
  const auto last = [&](int64_t now_ms) {
    return record.LastWriter(WallTime(std::chrono::milliseconds(now_ms)));
  };
  ASSERT_NE(last(99), nullptr);
  EXPECT_EQ(last(99)->value, "9");
  EXPECT_EQ(last(100), nullptr);
  EXPECT_EQ(last(200), nullptr);
}

TEST(LastWriter, IsLaterInCausalOrderWhateverTheClockSaid) {
  Record record;
  record.Put({}, At(9, 1), {});
  record.Put(record.context(), At(4, 2), {});
  EXPECT_EQ(record.LastWriter(WallTime())->value, "4");
}

TEST(Record, IsMadeOnlyFromPartsThatKeepTheInvariants) {
  CausalContext context;
  context.Add(Interval{Actor(kSx), 0, 2});
  EXPECT_TRUE(Record::FromParts(context, {}).has_value());
  EXPECT_TRUE(Record::FromParts(context, {Write(kSx, 1, "a"), Write(kSx, 2, "b")}).has_value());
  EXPECT_FALSE(Record::FromParts(context, {Write(kSx, 2, "a"), Write(kSx, 1, "b")}).has_value());
  EXPECT_FALSE(Record::FromParts(context, {Write(kSx, 1, "a"), Write(kSx, 1, "b")}).has_value());
  EXPECT_FALSE(Record::FromParts(context, {Write(kSx, 3, "a")}).has_value());
  EXPECT_FALSE(Record::FromParts(context, {Write(kSy, 1, "a")}).has_value());
}

}  // namespace
}  // namespace eddy::lattice
