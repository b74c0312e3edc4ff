// The judge is judged: histories made by hand, each once as it may be, and once with one thing
// wrong that must be noticed.

#include "sim/checker.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ring/token.h"
#include "sim/value.h"
#include "storage/key.h"
#include "storage/record_codec.h"
#include "wire/context_token.h"

namespace eddy::sim {
namespace {

using lattice::CausalContext;
using lattice::Dot;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr ActorId kA{1, 1};
constexpr ActorId kB{2, 2};
constexpr NodeIndex kNode0{0};
constexpr NodeIndex kNode1{1};

Plan MakePlan() {
  Plan plan;
  plan.nodes = 3;
  plan.buckets.push_back({"siblings", {}});
  plan.buckets.push_back({"lww", {.conflict = node::Conflict::kLastWriter}});
  return plan;
}

// One key, known to three nodes.
SimKey MakeKey(const Plan& plan, uint32_t bucket) {
  SimKey key;
  key.bucket = bucket;
  key.key = "k";
  const std::string& name = plan.buckets[bucket].name;
  key.encoded = storage::EncodeKey({ring::TokenOf(name, "k").value, name, "k"});
  key.walk = {NodeIndex{0}, NodeIndex{1}, NodeIndex{2}};
  return key;
}

CausalContext ContextOf(const std::vector<Dot>& dots) {
  CausalContext context;
  for (const Dot& dot : dots) context.Add({dot.actor, dot.counter - 1, dot.counter});
  return context;
}

// A client, a store and a node, all played by the test.
class CheckerTest : public ::testing::Test {
 protected:
  // In a bucket of MakePlan.
  void SetUp() override { Use(0); }
  void Use(uint32_t bucket) {
    keys_ = {MakeKey(plan_, bucket)};
    bucket_ = plan_.buckets[bucket].name;
    checker_.emplace(&world_, plan_, keys_);
    operations_ = 0;
  }

  uint64_t Begin(wire::ClientRequest request) {
    request.id = {1, ++operations_};
    request.bucket = bucket_;
    request.key = "k";
    checker_->Invoked(operations_, KeyIndex{0}, request);
    checker_->Attempted(operations_);
    return operations_;
  }
  uint64_t BeginPut(const CausalContext& seen = {}, wire::QuorumOptions quorum = {},
                    WallTime expires_at = lattice::Sibling::kNever) {
    wire::PutAction put{
        .value = MakeValue(operations_ + 1, 16), .context = Token(seen), .expires_at = expires_at};
    return Begin({.quorum = quorum, .action = std::move(put)});
  }
  uint64_t BeginGet(wire::QuorumOptions quorum = {}) { return Begin({.quorum = quorum}); }
  uint64_t BeginDelete(const CausalContext& seen) {
    return Begin({.action = wire::DeleteAction{.context = Token(seen)}});
  }

  // The store of the coordinator gives the put a dot.
  void Apply(uint64_t put, Dot dot, uint64_t time = 1, NodeIndex at = kNode0) {
    const lattice::Sibling sibling{.dot = dot, .timestamp = {time}, .value = MakeValue(put, 16)};
    lattice::Record record;
    record.Put({}, sibling, {});
    checker_->Applied(
        at, 1,
        {.key = keys_[0].encoded, .sibling = &sibling, .record = storage::EncodeRecord(record)});
  }

  void Done(uint64_t write, const CausalContext& context) {
    checker_->Answered(write, {.id = {1, write},
                               .needed = 2,
                               .answered = 2,
                               .primaries = primaries_,
                               .context = Token(context)});
    checker_->Ended(write);
  }
  // A put from beginning to end; its client has then seen `seen` and the dot.
  void Put(Dot dot, const CausalContext& seen = {}) {
    const uint64_t put = BeginPut(seen);
    Apply(put, dot);
    CausalContext after = seen;
    after.Join(ContextOf({dot}));
    Done(put, after);
  }
  void Refuse(uint64_t operation, Code code) {
    checker_->Answered(operation, {.id = {1, operation}, .error = Error{code, "no"}});
    checker_->Ended(operation);
  }

  // What a read shows: a dot, by its put.
  struct Shown {
    Dot dot;
    uint64_t put;
    uint64_t time = 1;
  };
  void Show(uint64_t get, const CausalContext& context, const std::vector<Shown>& shown,
            uint8_t answered = 2) {
    wire::ClientReply reply{.id = {1, get},
                            .needed = answered,
                            .answered = answered,
                            .primaries = answered,
                            .context = Token(context)};
    for (const Shown& one : shown) {
      reply.siblings.push_back(
          {.dot = one.dot, .timestamp = {one.time}, .value = MakeValue(one.put, 16)});
    }
    checker_->Answered(get, reply);
    checker_->Ended(get);
  }

  std::string Token(const CausalContext& context) const {
    return wire::EncodeContextToken(context, bucket_, "k");
  }
  const std::string& violation() const { return checker_->violation(); }

  World world_{Trace({})};
  Plan plan_ = MakePlan();
  std::vector<SimKey> keys_;
  std::string bucket_;
  std::optional<Checker> checker_;
  uint64_t operations_ = 0;
  uint8_t primaries_ = 2;  // of those that acknowledge a write
};

TEST_F(CheckerTest, AcceptsAWriteThatIsReadBack) {
  Put({kA, 1});
  Show(BeginGet(), ContextOf({{kA, 1}}), {{{kA, 1}, 1}});
  EXPECT_THAT(violation(), IsEmpty());
}

TEST_F(CheckerTest, NoticesALostAcknowledgedWrite) {
  Put({kA, 1});
  Show(BeginGet(), {}, {});
  EXPECT_THAT(violation(), HasSubstr("was told"));
}

TEST_F(CheckerTest, AllowsAReadOfTooFewReplicasToBeBehind) {
  Put({kA, 1});
  Show(BeginGet({.r = 1}), {}, {}, 1);
  EXPECT_THAT(violation(), IsEmpty());
}

TEST_F(CheckerTest, AllowsAWriteToBeLostWithAsManyDisksAsAcknowledgedIt) {
  Put({kA, 1});
  checker_->DiskLost(kNode0);
  // One of the two is left: all three must be asked to be sure to find it.
  Show(BeginGet(), {}, {});
  EXPECT_THAT(violation(), IsEmpty());
  checker_->DiskLost(kNode1);
  Show(BeginGet({.r = 3}), {}, {}, 3);
  EXPECT_THAT(violation(), IsEmpty());
}

TEST_F(CheckerTest, DemandsAWriteWhileOneOfItsDisksIsLeft) {
  Put({kA, 1});
  checker_->DiskLost(kNode0);
  Show(BeginGet({.r = 3}), {}, {}, 3);
  EXPECT_THAT(violation(), HasSubstr("was told"));
}

TEST_F(CheckerTest, CountsStandInsOnceTheirHintsHaveBeenDelivered) {
  primaries_ = 1;
  Put({kA, 1});
  Show(BeginGet(), {}, {});
  EXPECT_THAT(violation(), IsEmpty()) << "the stand-in was not asked";
  checker_->HintsDelivered();
  Show(BeginGet(), {}, {});
  EXPECT_THAT(violation(), HasSubstr("was told"));
}

TEST_F(CheckerTest, AllowsCrashesToTakeWhatIsNotSynced) {
  plan_.buckets[0].properties.durability = storage::Durability::kOs;
  Put({kA, 1});
  checker_->ProcessLost(kNode0);
  checker_->PowerLost(kNode0);
  checker_->PowerLost(kNode1);
  Show(BeginGet({.r = 3}), {}, {}, 3);
  EXPECT_THAT(violation(), IsEmpty());
}

TEST_F(CheckerTest, NoticesAContextThatClaimsWhatItDoesNotShow) {
  // Not even acknowledged: an amnesiac replica would give itself away.
  Apply(BeginPut(), {kA, 1});
  Show(BeginGet({.r = 1}), ContextOf({{kA, 1}}), {}, 1);
  EXPECT_THAT(violation(), HasSubstr("nobody replaced"));
}

TEST_F(CheckerTest, AcceptsThatAWriteReplacesWhatItHasSeen) {
  Put({kA, 1});
  Put({kB, 1}, ContextOf({{kA, 1}}));
  Show(BeginGet(), ContextOf({{kA, 1}, {kB, 1}}), {{{kB, 1}, 2}});
  EXPECT_THAT(violation(), IsEmpty());
}

TEST_F(CheckerTest, NoticesAWriteThatReplacesWhatItHasNotSeen) {
  Put({kA, 1});
  Put({kB, 1});
  Show(BeginGet(), ContextOf({{kA, 1}, {kB, 1}}), {{{kB, 1}, 2}});
  EXPECT_THAT(violation(), HasSubstr("nobody replaced"));
}

TEST_F(CheckerTest, NoticesASiblingBesideItsSuccessor) {
  Put({kA, 1});
  Put({kB, 1}, ContextOf({{kA, 1}}));
  Show(BeginGet({.r = 1}), ContextOf({{kA, 1}, {kB, 1}}), {{{kA, 1}, 1}, {{kB, 1}, 2}}, 1);
  EXPECT_THAT(violation(), HasSubstr("whose writer had seen it"));
}

TEST_F(CheckerTest, NoticesADeletedValueThatComesBack) {
  Put({kA, 1});
  Done(BeginDelete(ContextOf({{kA, 1}})), {});
  Show(BeginGet(), ContextOf({{kA, 1}}), {{{kA, 1}, 1}});
  EXPECT_THAT(violation(), HasSubstr("shows"));
  EXPECT_THAT(violation(), HasSubstr("again"));
}

TEST_F(CheckerTest, AllowsADeleteOfUnknownOutcomeToShowOrNot) {
  Put({kA, 1});
  Refuse(BeginDelete(ContextOf({{kA, 1}})), Code::kUnknownOutcome);
  Show(BeginGet(), ContextOf({{kA, 1}}), {{{kA, 1}, 1}});
  Show(BeginGet(), ContextOf({{kA, 1}}), {});
  EXPECT_THAT(violation(), IsEmpty());
}

TEST_F(CheckerTest, NoticesAReadThatGoesBehindAnEarlierRead) {
  Apply(BeginPut(), {kA, 1});
  Show(BeginGet(), ContextOf({{kA, 1}}), {{{kA, 1}, 1}});
  Show(BeginGet(), {}, {});
  EXPECT_THAT(violation(), HasSubstr("was told"));
}

TEST_F(CheckerTest, AllowsAReadThatBeganBeforeTheWriteEnded) {
  const uint64_t get = BeginGet();
  Put({kA, 1});
  Show(get, {}, {});
  EXPECT_THAT(violation(), IsEmpty());
}

TEST_F(CheckerTest, KeepsWhatAReadUnderWayMustRespectWhileNewerFactsCome) {
  Put({kA, 1});
  const uint64_t get = BeginGet();
  Put({kB, 1}, ContextOf({{kA, 1}}));
  Show(get, {}, {});
  EXPECT_THAT(violation(), HasSubstr("was told"));
}

TEST_F(CheckerTest, NoticesADotGivenTwice) {
  Put({kA, 1});
  Apply(BeginPut(), {kA, 1});
  EXPECT_THAT(violation(), HasSubstr("given before"));
}

TEST_F(CheckerTest, NoticesOneRequestWithTwoDots) {
  const uint64_t put = BeginPut();
  Apply(put, {kA, 1});
  checker_->Attempted(put);
  Apply(put, {kB, 1}, 1, kNode1);
  EXPECT_THAT(violation(), IsEmpty()) << "two coordinators, two attempts";
  Apply(put, {kA, 2});
  EXPECT_THAT(violation(), HasSubstr("two dots"));
}

TEST_F(CheckerTest, NoticesAValueThatNobodyWrote) {
  Put({kA, 1});
  Show(BeginGet(), ContextOf({{kA, 1}}), {{{kA, 1}, 2}});
  EXPECT_THAT(violation(), HasSubstr("never written so"));
}

TEST_F(CheckerTest, NoticesAnAcknowledgementOfNothing) {
  Done(BeginPut(), ContextOf({{kA, 1}}));
  EXPECT_THAT(violation(), HasSubstr("never applied"));
}

TEST_F(CheckerTest, NoticesAnAcknowledgementByTooFew) {
  const uint64_t put = BeginPut({}, {.w = 3});
  Apply(put, {kA, 1});
  Done(put, ContextOf({{kA, 1}}));
  EXPECT_THAT(violation(), HasSubstr("3 are needed"));
}

TEST_F(CheckerTest, NoticesARefusedWriteThatWasApplied) {
  const uint64_t put = BeginPut();
  Apply(put, {kA, 1});
  Refuse(put, Code::kUnavailable);
  EXPECT_THAT(violation(), HasSubstr("reported as not done"));
}

TEST_F(CheckerTest, NoticesARefusedWriteThatIsAppliedLater) {
  const uint64_t put = BeginPut();
  Refuse(put, Code::kUnavailable);
  EXPECT_THAT(violation(), IsEmpty());
  Apply(put, {kA, 1});
  EXPECT_THAT(violation(), HasSubstr("then applied"));
}

TEST_F(CheckerTest, NoticesAWritersContextThatClaimsMoreThanItHasSeen) {
  Put({kA, 1});
  const uint64_t put = BeginPut();
  Apply(put, {kB, 1});
  Done(put, ContextOf({{kA, 1}, {kB, 1}}));
  EXPECT_THAT(violation(), HasSubstr("has not seen"));
}

TEST_F(CheckerTest, NoticesTheWrongLastWriter) {
  Use(1);
  Apply(BeginPut(), {kA, 1}, 5);
  Apply(BeginPut(), {kB, 1}, 9);
  const CausalContext both = ContextOf({{kA, 1}, {kB, 1}});
  Show(BeginGet(), both, {{{kB, 1}, 2, 9}});
  EXPECT_THAT(violation(), IsEmpty());
  Show(BeginGet(), both, {{{kA, 1}, 1, 5}});
  EXPECT_THAT(violation(), HasSubstr("is later"));
}

TEST_F(CheckerTest, NoticesALastWriterThatIsNotShown) {
  Use(1);
  Put({kA, 1});
  Show(BeginGet(), ContextOf({{kA, 1}}), {});
  EXPECT_THAT(violation(), HasSubstr("shows nothing"));
}

TEST_F(CheckerTest, AllowsExpiredValuesToBeAbsentAndNotToBeShown) {
  const WallTime expiry = kWallAtStart + std::chrono::milliseconds(10);
  const uint64_t put = BeginPut({}, {}, expiry);
  const lattice::Sibling sibling{
      .dot = {kA, 1}, .timestamp = {1}, .expires_at = expiry, .value = MakeValue(put, 16)};
  checker_->Applied(kNode0, 1, {.key = keys_[0].encoded, .sibling = &sibling});
  Done(put, ContextOf({{kA, 1}}));
  world_.now += std::chrono::milliseconds(11);
  Show(BeginGet(), ContextOf({{kA, 1}}), {});
  EXPECT_THAT(violation(), IsEmpty());
  const uint64_t get = BeginGet();
  checker_->Answered(
      get,
      {.id = {1, get},
       .needed = 2,
       .answered = 2,
       .primaries = 2,
       .context = Token(ContextOf({{kA, 1}})),
       .siblings = {
           {.dot = {kA, 1}, .timestamp = {1}, .expires_at = expiry, .value = MakeValue(put, 16)}}});
  EXPECT_THAT(violation(), HasSubstr("expired on every clock"));
}

TEST_F(CheckerTest, NoticesABadRequestThatIsServed) {
  checker_->Invoked(++operations_, KeyIndex{0}, {.id = {1, operations_}}, true);
  checker_->Answered(operations_, {.id = {1, operations_}});
  EXPECT_THAT(violation(), HasSubstr("was not refused"));
}

TEST_F(CheckerTest, NoticesAContextThatGrowsWithEveryWrite) {
  lattice::Record record;
  checker_->HistoryMayBegin();
  for (uint64_t counter = 1; counter <= 120; counter += 2) {
    const uint64_t put = BeginPut();
    Apply(put, {kA, counter});
    // As a store would that opened an interval with each dot.
    record.Put({}, {.dot = {kA, counter}, .timestamp = {1}, .value = MakeValue(put, 16)},
               {.begin = counter});
  }
  checker_->CheckFinal(KeyIndex{0}, storage::EncodeRecord(record));
  EXPECT_THAT(violation(), HasSubstr("grown beyond 48 intervals"));
}

}  // namespace
}  // namespace eddy::sim
