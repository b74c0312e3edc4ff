// Failures that cost other Dynamo-style stores acknowledged writes, as the steps that were
// published for them, on real records and stores. All are ways in which a replica can come to claim
// that it has seen what it has forgotten, so each test asks in the end what every replica makes of
// all the others' records.
#include <algorithm>
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lattice/record.h"
#include "tests/storage/replica.h"

namespace eddy::lattice {
namespace {

using storage::Replica;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::vector<std::string> Values(const Record& record) {
  std::vector<std::string> values;
  for (const Sibling& sibling : record.siblings()) values.push_back(sibling.value);
  return values;
}

// Everybody repairs everybody (Dynamo, sections 4.6 and 4.7); all must then hold the same.
Record Converge(std::initializer_list<Replica*> replicas) {
  for (Replica* to : replicas) {
    for (Replica* from : replicas) to->Join(from->Read());
  }
  for (Replica* replica : replicas) replica->Join((*replicas.begin())->Read());
  const Record all = (*replicas.begin())->Read();
  for (Replica* replica : replicas) EXPECT_EQ(replica->Read(), all);
  return all;
}

// Riak's vnode amnesia (riak_kv issue 679, kv679_dataloss): the coordinator has lost its record,
// begins to count anew, and the others take its next write for one that they have seen long ago.
class VnodeAmnesia : public testing::Test {
 protected:
  void WriteThriceEverywhere() {
    for (const char* value : {"one", "two", "three"}) {
      const Record record = a_.Put(value);
      b_.Join(record);
      c_.Join(record);
    }
  }

  Replica a_{1}, b_{2}, c_{3};
};

TEST_F(VnodeAmnesia, AWriteAtACoordinatorWhoseRowWasRemovedIsKept) {
  WriteThriceEverywhere();
  const CausalContext read_before = b_.Read().context();
  a_.Restart();
  a_.LoseTheRow();
  const Record written = a_.Put("four", read_before);
  EXPECT_THAT(Values(written), ElementsAre("four"));
  EXPECT_THAT(Values(Converge({&a_, &b_, &c_})), ElementsAre("four"));
}

TEST_F(VnodeAmnesia, ABlindWriteThereIsASiblingOfWhatTheOthersHold) {
  WriteThriceEverywhere();
  a_.LoseTheRow();
  a_.Put("four", CausalContext());
  EXPECT_THAT(Values(Converge({&a_, &b_, &c_})), UnorderedElementsAre("three", "four"));
}

TEST_F(VnodeAmnesia, AWriteAfterALostTailIsKept) {
  WriteThriceEverywhere();
  // Acknowledged by b and c, but not yet on a's disk.
  const Record unsynced = a_.PutUnsynced("four");
  b_.Join(unsynced);
  c_.Join(unsynced);
  a_.Crash();
  EXPECT_THAT(Values(a_.Read()), ElementsAre("three"));
  a_.Put("five", a_.Read().context());
  EXPECT_THAT(Values(Converge({&a_, &b_, &c_})), UnorderedElementsAre("four", "five"));
}

// kv679_dataloss_fb: the lost record comes back from replicas that are behind, with an old dot of
// the coordinator in it, and its next write claims all between that dot and now.
class AmnesiaThroughFallback : public testing::Test {
 protected:
  // A coordinates one write that reaches the fallbacks d and e, then two that reach b and c.
  void WriteAcrossTwoSetsOfReplicas() {
    const Record first = a_.Put("bob");
    d_.Join(first);
    e_.Join(first);
    for (const char* value : {"jon", "joe"}) {
      const Record record = a_.Put(value);
      b_.Join(record);
      c_.Join(record);
    }
  }

  // b and c are away; a is read-repaired from the fallbacks and coordinates.
  void RepairFromFallbacksAndWrite() {
    a_.Join(d_.Read());
    a_.Join(e_.Read());
    const Record record = a_.Put("anne", a_.Read().context());
    d_.Join(record);
    e_.Join(record);
  }

  Replica a_{1}, b_{2}, c_{3}, d_{4}, e_{5};
};

TEST_F(AmnesiaThroughFallback, BothWritesSurviveARowThatWasRemoved) {
  WriteAcrossTwoSetsOfReplicas();
  a_.LoseTheRow();
  RepairFromFallbacksAndWrite();
  EXPECT_THAT(Values(Converge({&a_, &b_, &c_, &d_, &e_})), UnorderedElementsAre("joe", "anne"));
}

TEST_F(AmnesiaThroughFallback, BothWritesSurviveARowThatWasRemovedWhileStopped) {
  WriteAcrossTwoSetsOfReplicas();
  a_.LoseTheRow();
  a_.Restart();
  RepairFromFallbacksAndWrite();
  EXPECT_THAT(Values(Converge({&a_, &b_, &c_, &d_, &e_})), UnorderedElementsAre("joe", "anne"));
}

TEST_F(AmnesiaThroughFallback, BothWritesSurviveALostTail) {
  const Record first = a_.PutUnsynced("bob");
  d_.Join(first);
  e_.Join(first);
  const Record second = a_.PutUnsynced("joe");
  b_.Join(second);
  c_.Join(second);
  a_.Crash();
  EXPECT_TRUE(a_.Read().empty());
  RepairFromFallbacksAndWrite();
  EXPECT_THAT(Values(Converge({&a_, &b_, &c_, &d_, &e_})), UnorderedElementsAre("joe", "anne"));
}

// kv679_dataloss_fb2, found by QuickCheck after Riak had given every vnode epoch its own actor: the
// record is not found by a join, not by a write, so no new epoch began.
TEST(AmnesiaThroughHandoff, BothWritesSurviveAnAbsenceMetByAJoin) {
  Replica p1(1), p2(2), f1(3), f2(4), f3(5);
  f1.Join(p1.Put("alice"));
  p1.Put("bob", p1.Read().context());
  f2.Join(p1.Put("charlie", p1.Read().context()));
  f3.Join(p2.Put("dave"));
  p1.LoseTheRow();
  p1.Join(f3.Read());
  p2.Join(f1.Read());
  p1.Join(p2.Read());
  p2.Join(p1.Put("emma", p1.Read().context()));
  p2.Join(f2.Read());
  EXPECT_THAT(Values(Converge({&p1, &p2, &f1, &f2, &f3})), UnorderedElementsAre("charlie", "emma"));
}

// The counterexample that QuickCheck gave for it, step by step.
TEST(AmnesiaThroughHandoff, BothWritesSurviveTheCounterexample) {
  Replica p1(1), p2(2), p3(3), f1(4), f3(5);
  p2.Join(p1.Put("first"));
  const CausalContext seen_first = p2.Read().context();
  p2.Join(p3.Put("second", seen_first));
  const CausalContext seen_second = p2.Read().context();
  f3.Join(p1.Put("third", seen_second));
  f1.Join(p1.Put("fourth", seen_second));
  p1.LoseTheRow();
  p1.Join(p3.Read());
  p1.Join(f3.Read());
  p2.Join(p1.Put("fifth", p1.Read().context()));
  EXPECT_THAT(Values(Converge({&p1, &p2, &p3, &f1, &f3})), UnorderedElementsAre("fourth", "fifth"));
}

// A local read that failed is no absence: the record is not joined to, and not written over.
TEST(AmnesiaThroughHandoff, ALocalReadErrorRefusesTheHandoff) {
  Replica p1(1), f3(2);
  const Record held = p1.Put("alice");
  f3.Put("dave");
  p1.engine().FailCall(storage::MemoryEngine::Call::kGet, 1, Error{Code::kIo, "bad block"});
  std::vector<storage::StoreResult> results;
  storage::StoreVerb verb{1, Replica::Key(), storage::Durability::kSync,
                          storage::JoinVerb{storage::EncodeRecord(f3.Read())}};
  ASSERT_TRUE(p1.store().Execute(&verb, storage::Tier::kDisk, &results));
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].record.error().code, Code::kIo);
  EXPECT_EQ(p1.Read(), held);
}

// Actor counters that were not durable: after a crash at any step, a counter was handed out again.
TEST(ActorCounter, IsNeverRepeatedWhereverTheCrash) {
  std::set<Dot> dots;
  Replica replica(1);
  size_t written = 0;
  for (int life = 0; life < 40; ++life) {
    for (int i = 0; i < life % 4; ++i, ++written) {
      const Record record = (life + i) % 2 == 0 ? replica.Put("x") : replica.PutUnsynced("x");
      dots.insert(record.siblings().back().dot);
    }
    // The disk kept any prefix of what was not synced.
    if (life % 3 == 0) {
      replica.Restart();
    } else {
      replica.engine().Crash(replica.engine().unsynced_batches() / 2);
      replica.Crash();
    }
  }
  EXPECT_EQ(dots.size(), written);
}

// The doomstone (kv679_tombstone, kv679_tombstone2; riak_test's "another doomstone flavour"): a
// tombstone that was reaped everywhere but on one replica away meets the key written anew, whose
// counters began below it.
class Doomstone : public testing::Test {
 protected:
  void WriteThriceAndDelete(std::initializer_list<Replica*> others) {
    Record record;
    for (const char* value : {"bob", "phil", "pete"}) record = a_.Put(value);
    for (Replica* other : others) other->Join(record);
    record = a_.Delete(record.context());
    for (Replica* other : others) other->Join(record);
  }

  Replica a_{1}, b_{2}, c_{3}, fallback_{4};
};

TEST_F(Doomstone, AKeyWrittenAnewWinsOverATombstoneOnAFallback) {
  WriteThriceAndDelete({&b_, &fallback_});
  for (Replica* primary : {&a_, &b_}) primary->LoseTheRow();
  const Record anew = a_.Put("jon", CausalContext());
  b_.Join(anew);
  c_.Join(anew);
  EXPECT_THAT(Values(Converge({&a_, &b_, &c_, &fallback_})), ElementsAre("jon"));
}

TEST_F(Doomstone, AKeyWrittenAnewWinsOverATombstoneOnACrashedPrimary) {
  WriteThriceAndDelete({&b_, &c_});
  c_.Crash();
  for (Replica* up : {&a_, &b_}) up->LoseTheRow();
  b_.Join(a_.Put("jon", CausalContext()));
  EXPECT_THAT(Values(Converge({&a_, &b_, &c_})), ElementsAre("jon"));
}

TEST_F(Doomstone, AKeyWrittenAnewAfterACleanRestartWinsToo) {
  WriteThriceAndDelete({&b_, &c_});
  for (Replica* up : {&a_, &b_}) up->LoseTheRow();
  a_.Restart();
  b_.Join(a_.Put("jon"));
  EXPECT_THAT(Values(Converge({&a_, &b_, &c_})), ElementsAre("jon"));
}

TEST_F(Doomstone, WhatIsDeletedStaysDeleted) {
  WriteThriceAndDelete({&b_, &c_});
  a_.Crash();
  b_.Restart();
  EXPECT_THAT(Values(Converge({&a_, &b_, &c_})), IsEmpty());
}

// Sibling explosion (riak_kv issue 746): two clients who each read, change and write, and whose
// turns interleave. With a plain clock per vnode every write looked concurrent to every other; with
// a dot per write no more siblings remain than there are writers.
TEST(SiblingExplosion, TwoInterleavedWritersLeaveTwoSiblingsAtMost) {
  Replica a(1), b(2);
  CausalContext first, second;
  for (int round = 0; round < 1000; ++round) {
    Record record = a.Put("first " + std::to_string(round), first);
    ASSERT_LE(record.siblings().size(), 2u);
    b.Join(record);
    // Each client goes on from what its own write returned, before the other's write.
    first = record.context();
    record = a.Put("second " + std::to_string(round), second);
    ASSERT_LE(record.siblings().size(), 2u);
    b.Join(record);
    second = record.context();
  }
  EXPECT_LE(b.Read().siblings().size(), 2u);
  EXPECT_THAT(Values(b.Read()), Contains("second 999"));
  EXPECT_LE(b.Read().context().intervals().size(), 1u);
}

TEST(SiblingExplosion, TwoWritersAtTwoCoordinatorsLeaveTwoSiblingsAtMost) {
  Replica a(1), b(2);
  CausalContext at_a, at_b;
  for (int round = 0; round < 1000; ++round) {
    // Both write from what they saw before; then the replicas hear of each other.
    at_a = a.Put("a " + std::to_string(round), at_a).context();
    at_b = b.Put("b " + std::to_string(round), at_b).context();
    const Record all = Converge({&a, &b});
    ASSERT_LE(all.siblings().size(), 2u);
    at_a = at_b = all.context();
  }
}

}  // namespace
}  // namespace eddy::lattice
