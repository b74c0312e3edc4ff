// The judge of `eddyctl chaos`, judged: histories in which a promise was broken, and such as look
// broken and are not.
#include "tools/chaos_judge.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eddy::tools {
namespace {

using lattice::CausalContext;
using lattice::Dot;
using testing::Contains;
using testing::HasSubstr;
using testing::Key;
using testing::UnorderedElementsAre;
using Outcome = ChaosOperation::Outcome;
using std::chrono::seconds;

constexpr ActorId kA{1, 1};
constexpr ActorId kB{2, 2};

CausalContext ContextOf(const std::vector<Dot>& dots) {
  CausalContext context;
  for (const Dot& dot : dots) context.Add({dot.actor, dot.counter - 1, dot.counter});
  return context;
}

class ChaosJudgeTest : public testing::Test {
 protected:
  ChaosJudgeTest() {
    history_.keys = {{"chaos", "k", false}, {"chaos", "other", false}, {"redis", "k", true}};
  }

  ChaosOperation& Add(ChaosKind kind, uint8_t quorum) {
    const Duration now = seconds(2 * history_.operations.size() + 1);
    history_.operations.push_back({.number = history_.operations.size() + 1,
                                   .kind = kind,
                                   .key = key_,
                                   .began = now,
                                   .ended = now + seconds(1),
                                   .outcome = Outcome::kDone,
                                   .n = 3,
                                   .quorum = quorum,
                                   .primaries = quorum});
    return history_.operations.back();
  }
  // An acknowledged put with that dot; its number.
  uint64_t Put(const Dot& dot, const std::vector<Dot>& seen = {}) {
    ChaosOperation& put = Add(ChaosKind::kPut, 2);
    put.seen = ContextOf(seen);
    put.told = put.seen;
    put.told.Join(ContextOf({dot}));
    return put.number;
  }
  uint64_t UnknownPut(const std::vector<Dot>& seen = {}) {
    ChaosOperation& put = Add(ChaosKind::kPut, 2);
    put.outcome = Outcome::kUnknown;
    put.seen = ContextOf(seen);
    return put.number;
  }
  void Delete(const std::vector<Dot>& seen) {
    ChaosOperation& done = Add(ChaosKind::kDelete, 2);
    done.seen = ContextOf(seen);
    done.told = done.seen;
  }
  ChaosOperation& Read(const std::vector<Dot>& told,
                       const std::vector<std::pair<Dot, uint64_t>>& shown, uint8_t r = 2) {
    ChaosOperation& read = Add(ChaosKind::kGet, r);
    read.told = ContextOf(told);
    for (const auto& [dot, writer] : shown) {
      read.shown.push_back({dot, Timestamp{(writer + 1) << 16}, writer});
    }
    return read;
  }
  void Final(uint8_t node, const std::vector<Dot>& told,
             const std::vector<std::pair<Dot, uint64_t>>& shown) {
    ChaosOperation& read = Read(told, shown, 3);
    read.final = true;
    read.node = node;
  }

  ChaosVerdict Judge(bool converged = true) const { return JudgeChaos(history_, converged); }

  ChaosHistory history_;
  uint32_t key_ = 0;
};

TEST_F(ChaosJudgeTest, KeepsQuietWhereAllIsWell) {
  const auto first = Put({kA, 1});
  const auto second = Put({kB, 1}, {});
  Read({{kA, 1}, {kB, 1}}, {{{kA, 1}, first}, {{kB, 1}, second}});
  const auto merged = Put({kA, 2}, {{kA, 1}, {kB, 1}});
  Final(1, {{kA, 1}, {kA, 2}, {kB, 1}}, {{{kA, 2}, merged}});
  Final(2, {{kA, 1}, {kA, 2}, {kB, 1}}, {{{kA, 2}, merged}});
  const ChaosVerdict verdict = Judge();
  EXPECT_TRUE(verdict.kept()) << verdict.violations[0].text;
  EXPECT_EQ(verdict.writes_acknowledged, 3);
  EXPECT_EQ(verdict.reads, 1);
  EXPECT_EQ(verdict.final_reads, 2);
  EXPECT_EQ(verdict.lost, 0);
}

TEST_F(ChaosJudgeTest, FindsAnAcknowledgedWriteThatNobodyHasSeenInTheEnd) {
  Put({kA, 1});
  const auto second = Put({kB, 1});
  Final(1, {{kB, 1}}, {{{kB, 1}, second}});
  const ChaosVerdict verdict = Judge();
  EXPECT_EQ(verdict.lost, 1);
  EXPECT_EQ(verdict.broken.at("nothing is lost"), 1);
  EXPECT_THAT(verdict.violations.back().text, HasSubstr("has not seen put #1"));
  EXPECT_THAT(verdict.violations.back().operations, Contains(HasSubstr("put #1")));
}

TEST_F(ChaosJudgeTest, FindsALossAlsoAfterADiskWasLost) {
  Put({kA, 1});
  history_.disk_losses = {seconds(3)};
  Final(1, {}, {});
  EXPECT_EQ(Judge().lost, 1);
}

TEST_F(ChaosJudgeTest, FindsAWriteThatIsClaimedToBeSeenAndIsNotThere) {
  Put({kA, 1});
  Final(1, {{kA, 1}}, {});
  const ChaosVerdict verdict = Judge();
  EXPECT_EQ(verdict.lost, 1);
  EXPECT_THAT(verdict.broken,
              UnorderedElementsAre(Key("nothing is lost"), Key("seen is shown or replaced")));
}

TEST_F(ChaosJudgeTest, FindsALossWhereTheLastWriterWins) {
  key_ = 2;
  Put({kA, 1});
  const auto second = Put({kB, 1});
  Final(1, {{kB, 1}}, {{{kB, 1}, second}});
  EXPECT_EQ(Judge().lost, 1);
}

TEST_F(ChaosJudgeTest, FindsAKeyThatCannotBeReadInTheEnd) {
  Put({kA, 1});
  EXPECT_EQ(Judge().lost, 1);
  EXPECT_TRUE(Judge(false).kept());
}

TEST_F(ChaosJudgeTest, LetsAWriteGoThatALaterOneHadSeen) {
  Put({kA, 1});
  const auto later = Put({kB, 1}, {{kA, 1}});
  Final(1, {{kA, 1}, {kB, 1}}, {{{kB, 1}, later}});
  EXPECT_TRUE(Judge().kept());
}

TEST_F(ChaosJudgeTest, AWriteOfUnknownOutcomeMayBeThereOrNot) {
  const auto put = UnknownPut();
  Final(1, {}, {});
  EXPECT_TRUE(Judge().kept());
  history_.operations.pop_back();
  Final(1, {{kA, 1}}, {{{kA, 1}, put}});
  EXPECT_TRUE(Judge().kept());
  EXPECT_EQ(Judge().writes_unknown, 1);
}

TEST_F(ChaosJudgeTest, FindsAValueThatNobodyWrote) {
  Read({{kA, 1}}, {{{kA, 1}, 0}});
  EXPECT_THAT(Judge().broken, UnorderedElementsAre(Key("no value from nowhere")));
}

TEST_F(ChaosJudgeTest, FindsAValueOfAnotherKey) {
  key_ = 1;
  const auto put = Put({kA, 1});
  key_ = 0;
  Read({{kA, 1}}, {{{kA, 1}, put}});
  EXPECT_THAT(Judge(false).broken, UnorderedElementsAre(Key("no value from nowhere")));
}

TEST_F(ChaosJudgeTest, FindsAValueFromTheFuture) {
  Read({{kA, 1}}, {{{kA, 1}, 2}});
  UnknownPut();
  EXPECT_THAT(Judge().broken, UnorderedElementsAre(Key("no value from nowhere")));
}

TEST_F(ChaosJudgeTest, FindsAWriteThatWasSaidNotToBeDone) {
  const auto put = UnknownPut();
  history_.operations.back().outcome = Outcome::kNotDone;
  Read({{kA, 1}}, {{{kA, 1}, put}});
  EXPECT_THAT(Judge().broken, UnorderedElementsAre(Key("no value from nowhere")));
}

TEST_F(ChaosJudgeTest, FindsADotWithTwoValues) {
  const auto first = UnknownPut();
  const auto second = UnknownPut();
  Read({{kA, 1}}, {{{kA, 1}, first}});
  Read({{kA, 1}}, {{{kA, 1}, second}});
  EXPECT_THAT(Judge().broken, UnorderedElementsAre(Key("no value from nowhere")));
}

TEST_F(ChaosJudgeTest, FindsWhatWasDeletedAndIsBack) {
  const auto put = Put({kA, 1});
  Delete({{kA, 1}});
  Read({{kA, 1}}, {{{kA, 1}, put}});
  EXPECT_THAT(Judge(false).broken, UnorderedElementsAre(Key("what is gone stays gone")));
}

TEST_F(ChaosJudgeTest, FindsInTheEndWhatWasDeletedBeforeADiskWasLost) {
  const auto put = Put({kA, 1});
  Delete({{kA, 1}});
  history_.disk_losses = {seconds(5)};
  Final(1, {{kA, 1}}, {{{kA, 1}, put}});
  EXPECT_THAT(Judge().broken, UnorderedElementsAre(Key("what is gone stays gone")));
}

TEST_F(ChaosJudgeTest, AWriteThatTheDeleteHadNotSeenStays) {
  Put({kA, 1});
  const auto other = Put({kB, 1});
  Delete({{kA, 1}});
  Read({{kA, 1}, {kB, 1}}, {{{kB, 1}, other}});
  EXPECT_TRUE(Judge(false).kept());
}

TEST_F(ChaosJudgeTest, FindsAReadBehindAnAcknowledgement) {
  Put({kA, 1});
  Read({}, {});
  EXPECT_THAT(Judge(false).broken, UnorderedElementsAre(Key("reads do not go back")));
}

TEST_F(ChaosJudgeTest, FindsAReadBehindAnotherRead) {
  const auto put = UnknownPut();
  Read({{kA, 1}}, {{{kA, 1}, put}});
  Read({}, {});
  EXPECT_THAT(Judge(false).broken, UnorderedElementsAre(Key("reads do not go back")));
}

TEST_F(ChaosJudgeTest, TooFewOwnersPromiseNothing) {
  Put({kA, 1});
  Read({}, {}, 1);
  Read({}, {}).primaries = 1;  // a stand-in was the other one
  EXPECT_TRUE(Judge(false).kept());
}

TEST_F(ChaosJudgeTest, ADiskLostSinceMayHaveBeenOneOfThem) {
  Put({kA, 1});
  Read({}, {});
  history_.disk_losses = {seconds(2)};  // within the put
  EXPECT_TRUE(Judge(false).kept());
  history_.disk_losses = {history_.operations[1].began + Duration(1)};  // within the read
  EXPECT_TRUE(Judge(false).kept());
  history_.disk_losses = {seconds(0)};
  EXPECT_FALSE(Judge(false).kept());
}

TEST_F(ChaosJudgeTest, AReadThatOverlapsTheWriteMaySeeItOrNot) {
  Put({kA, 1});
  ChaosOperation& read = Read({}, {});
  read.began = history_.operations[0].ended;
  EXPECT_TRUE(Judge(false).kept());
}

TEST_F(ChaosJudgeTest, FindsASiblingThatTheOtherHadSeen) {
  const auto first = Put({kA, 1});
  const auto second = UnknownPut({{kA, 1}});
  Read({{kA, 1}, {kB, 1}}, {{{kA, 1}, first}, {{kB, 1}, second}});
  EXPECT_THAT(Judge(false).broken, UnorderedElementsAre(Key("siblings are concurrent")));
}

TEST_F(ChaosJudgeTest, FindsAnAcknowledgementThatClaimsTooMuch) {
  Put({kA, 1});
  ChaosOperation& put = Add(ChaosKind::kPut, 2);
  put.told = ContextOf({{kA, 1}, {kB, 1}});
  EXPECT_THAT(Judge(false).broken, Contains(Key("a context is honest")));
}

TEST_F(ChaosJudgeTest, FindsAnEarlierWriteWhereTheLastWins) {
  key_ = 2;
  const auto first = Put({kA, 1});
  Put({kB, 1});
  Read({{kA, 1}, {kB, 1}}, {{{kA, 1}, first}});
  EXPECT_THAT(Judge(false).broken, UnorderedElementsAre(Key("the last writer wins")));
}

TEST_F(ChaosJudgeTest, WhoIsLastIsNotKnownWithinWhatClocksAreApart) {
  key_ = 2;
  const auto first = Put({kA, 1});
  Put({kB, 1});
  Read({{kA, 1}, {kB, 1}}, {{{kA, 1}, first}});
  EXPECT_FALSE(Judge(false).kept());
  history_.clock_skew = seconds(10);
  EXPECT_TRUE(Judge(false).kept());
  history_.clock_skew = std::chrono::milliseconds(100);
  EXPECT_FALSE(Judge(false).kept());
}

TEST_F(ChaosJudgeTest, AnEarlierWriteShowsWhereTheLaterOneWasDeletedAlone) {
  key_ = 2;
  const auto first = Put({kA, 1});
  Put({kB, 1});
  Delete({{kB, 1}});
  Read({{kA, 1}, {kB, 1}}, {{{kA, 1}, first}});
  EXPECT_TRUE(Judge(false).kept());
}

TEST_F(ChaosJudgeTest, FindsReplicasThatDiffer) {
  const auto first = UnknownPut();
  Final(1, {{kA, 1}}, {{{kA, 1}, first}});
  Final(2, {}, {});
  const ChaosVerdict verdict = Judge();
  EXPECT_EQ(verdict.broken.at("all replicas are equal"), 1);
}

TEST_F(ChaosJudgeTest, ShowsNoMoreThanItsLimits) {
  for (int i = 0; i < 100; ++i) Read({{kA, 1}}, {{{kA, 1}, 0}});
  const ChaosVerdict verdict = Judge();
  EXPECT_EQ(verdict.broken.at("no value from nowhere"), 100);
  EXPECT_EQ(verdict.violations.size(), ChaosVerdict::kViolationsMax);
  for (const ChaosViolation& violation : verdict.violations) {
    EXPECT_LE(violation.operations.size(), ChaosVerdict::kOperationsShown);
  }
}

}  // namespace
}  // namespace eddy::tools
