#include "tools/load_mix.h"

#include <map>

#include <gtest/gtest.h>

namespace eddy::tools {
namespace {

std::map<LoadKind, double> SharesOf(const LoadMix& mix) {
  constexpr int kDraws = 20'000;
  Random random(1);
  std::map<LoadKind, double> shares;
  for (int i = 0; i < kDraws; i++) shares[mix.Draw(&random)] += 1.0 / kDraws;
  return shares;
}

void ExpectShares(const LoadMix& mix, const std::map<LoadKind, double>& expected) {
  const auto shares = SharesOf(mix);
  ASSERT_EQ(shares.size(), expected.size()) << mix.name();
  for (const auto& [kind, share] : expected) {
    EXPECT_NEAR(shares.at(kind), share, 0.02) << mix.name() << " " << NameOf(kind);
    EXPECT_TRUE(mix.Has(kind));
  }
}

TEST(LoadMix, YcsbsWorkloadsAreWhatTheirPaperSays) {
  ExpectShares(*LoadMix::Ycsb("a"), {{LoadKind::kRead, 0.5}, {LoadKind::kUpdate, 0.5}});
  ExpectShares(*LoadMix::Ycsb("b"), {{LoadKind::kRead, 0.95}, {LoadKind::kUpdate, 0.05}});
  ExpectShares(*LoadMix::Ycsb("c"), {{LoadKind::kRead, 1}});
  ExpectShares(*LoadMix::Ycsb("d"), {{LoadKind::kRead, 0.95}, {LoadKind::kInsert, 0.05}});
  ExpectShares(*LoadMix::Ycsb("e"), {{LoadKind::kScan, 0.95}, {LoadKind::kInsert, 0.05}});
  ExpectShares(*LoadMix::Ycsb("f"), {{LoadKind::kRead, 0.5}, {LoadKind::kReadModifyWrite, 0.5}});
  for (const char* letter : {"a", "b", "c", "e", "f"}) {
    EXPECT_EQ(LoadMix::Ycsb(letter)->distribution(), KeyDistribution::kZipfian) << letter;
  }
  EXPECT_EQ(LoadMix::Ycsb("d")->distribution(), KeyDistribution::kLatest);
  EXPECT_EQ(LoadMix::Ycsb("d")->name(), "ycsb-d");
  EXPECT_FALSE(LoadMix::Ycsb("g"));
  EXPECT_FALSE(LoadMix::Ycsb(""));
}

TEST(LoadMix, IsParsedFromParts) {
  const auto mix = LoadMix::Parse("read=6,update=3,rmw=1,insert=0");
  ASSERT_TRUE(mix) << mix.error().text;
  ExpectShares(
      *mix, {{LoadKind::kRead, 0.6}, {LoadKind::kUpdate, 0.3}, {LoadKind::kReadModifyWrite, 0.1}});
  EXPECT_FALSE(mix->Has(LoadKind::kInsert));
  EXPECT_EQ(mix->distribution(), KeyDistribution::kUniform);
}

TEST(LoadMix, SaysWhatIsWrongWithIt) {
  for (const auto& [text, part] :
       std::map<std::string, std::string>{{"", "has no operations"},
                                          {"read=0", "has no operations"},
                                          {"raed=1", "did you mean read?"},
                                          {"read", "needs its part"},
                                          {"read=", "needs its part"},
                                          {"read=x", "needs its part"},
                                          {"read=-1", "needs its part"},
                                          {"read=1000001", "needs its part"},
                                          {"read=1,read=2", "twice"},
                                          {"read=1,,update=1", "is no kind"},
                                          {"read=50 update=50", "needs its part"}}) {
    const auto mix = LoadMix::Parse(text);
    ASSERT_FALSE(mix) << text;
    EXPECT_EQ(mix.error().code, Code::kInvalidArgument);
    EXPECT_NE(mix.error().text.find(part), std::string::npos) << mix.error().text;
  }
}

TEST(LoadMix, ScansAreOfTheRespDoorAlone) {
  const LoadMix scans = *LoadMix::Ycsb("e");
  EXPECT_TRUE(scans.CheckDoor(Door::kResp));
  for (const Door door : {Door::kNative, Door::kFloor}) {
    const Status can = scans.CheckDoor(door);
    ASSERT_FALSE(can);
    EXPECT_EQ(can.error().code, Code::kUnsupported);
    EXPECT_NE(can.error().text.find("--door resp"), std::string::npos);
    EXPECT_TRUE(LoadMix::Ycsb("f")->CheckDoor(door));
  }
}

}  // namespace
}  // namespace eddy::tools
