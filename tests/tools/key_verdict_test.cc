#include "tools/key_verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eddy::tools {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

OwnersCopy Holds(std::string node, std::string digest) {
  return {.node = std::move(node), .silence = {}, .rot = {}, .digest = std::move(digest)};
}
OwnersCopy HoldsNothing(std::string node) {
  return {.node = std::move(node), .silence = {}, .rot = {}, .digest = {}};
}

KeyVerdict Judge(const std::vector<OwnersCopy>& owners, const std::vector<KeptHint>& hints,
                 bool compares = true) {
  return JudgeKey(owners, hints, compares, "eddyctl repair --key k --wait");
}

TEST(KeyVerdict, EqualCopiesAreConverged) {
  const KeyVerdict verdict = Judge({Holds("n1", "a"), Holds("n2", "a")}, {});
  EXPECT_TRUE(verdict.converged);
  EXPECT_THAT(verdict.sentences, ElementsAre("All 2 owners hold the same record."));
}

TEST(KeyVerdict, NothingAnywhereIsConvergedToo) {
  const KeyVerdict verdict = Judge({HoldsNothing("n1"), HoldsNothing("n2")}, {});
  EXPECT_TRUE(verdict.converged);
  EXPECT_THAT(verdict.sentences, ElementsAre(HasSubstr("never written")));
}

TEST(KeyVerdict, SaysWhoDiffersAndWhatLevelsThem) {
  const KeyVerdict verdict =
      Judge({Holds("n1", "aaaaaaaa11"), Holds("n2", "aaaaaaaa11"), HoldsNothing("n3")}, {});
  EXPECT_FALSE(verdict.converged);
  EXPECT_THAT(verdict.sentences,
              ElementsAre("n1 and n2 hold the record aaaaaaaa.", "n3 holds nothing.",
                          AllOf(HasSubstr("next comparison"),
                                HasSubstr("'eddyctl repair --key k --wait' does it now"))));
}

TEST(KeyVerdict, SaysThatNothingComparesWhereNothingDoes) {
  const KeyVerdict verdict = Judge({Holds("n1", "a"), Holds("n2", "b")}, {}, false);
  EXPECT_THAT(verdict.sentences.back(), HasSubstr("anti_entropy_seconds"));
}

TEST(KeyVerdict, AnOwnerThatIsSilentLeavesTheMatterOpen) {
  const KeyVerdict verdict = Judge({Holds("n1", "a"), {.node = "n2", .silence = "no connection"}},
                                   {{.holder = "n3", .owner = "n2", .digest = "a"}});
  EXPECT_FALSE(verdict.converged);
  EXPECT_THAT(verdict.sentences,
              ElementsAre("n2 does not answer (no connection), so what it holds is not known.",
                          "n3 keeps a hint for n2 and brings it when that is back."));
}

TEST(KeyVerdict, AHintThatItsOwnerNeedsNoMoreStillHasToGo) {
  const KeyVerdict verdict =
      Judge({Holds("n1", "a"), Holds("n2", "a")}, {{.holder = "n3", .owner = "n2", .digest = "a"}});
  EXPECT_FALSE(verdict.converged);
  EXPECT_THAT(verdict.sentences, ElementsAre(HasSubstr("holds the same already")));
}

TEST(KeyVerdict, ARottenRowIsNoCopy) {
  const KeyVerdict verdict =
      Judge({Holds("n1", "a"), {.node = "n2", .rot = "fails its checksum"}}, {});
  EXPECT_FALSE(verdict.converged);
  EXPECT_THAT(verdict.sentences.front(), HasSubstr("fails its checksum"));
}

}  // namespace
}  // namespace eddy::tools
