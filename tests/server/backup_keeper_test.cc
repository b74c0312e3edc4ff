// What a node holds for a backup, and what it lets go of.
#include "server/backup_keeper.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/ids.h"
#include "tests/storage/temp_dir.h"

namespace eddy::server {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;

class BackupKeeperTest : public ::testing::Test {
 protected:
  BackupKeeperTest()
      : large_(3 * wire::kAdminDataBytesMax / 2, 'x'),
        keeper_(directory_.path().string(),
                [this](const std::string& path) { return Make(path); }) {
    large_.back() = 'y';
  }

  Status Make(const std::string& path) {
    ++made_;
    if (fail_) return Fail(Code::kIo, "no space left");
    fs::create_directory(path);
    std::ofstream(path + "/000007.sst", std::ios::binary) << large_;
    std::ofstream(path + "/CURRENT") << "MANIFEST-000005\n";
    return {};
  }
  wire::AdminReply Run(const std::string& call, const Json& arguments) {
    return keeper_.Run({.id = {1, 2}, .call = call, .arguments = arguments.dump()}, now_, no_room_);
  }
  Json Ask(const std::string& call, const Json& arguments) {
    const auto reply = Run(call, arguments);
    EXPECT_FALSE(reply.error.has_value()) << reply.error->text;
    return Json::parse(reply.result, nullptr, false);
  }
  Error Refused(const std::string& call, const Json& arguments) {
    const auto reply = Run(call, arguments);
    EXPECT_TRUE(reply.error.has_value()) << reply.result;
    EXPECT_EQ(reply.data, "");
    return reply.error.value_or(Error{});
  }
  bool Lies(const std::string& id) { return fs::exists(directory_ / ("backup/" + id)); }

  TempDir directory_;
  std::string large_;
  BackupKeeper keeper_;
  MonotonicTime now_ = MonotonicTime(std::chrono::hours(1));
  std::optional<Error> no_room_;
  bool fail_ = false;
  int made_ = 0;
};

TEST_F(BackupKeeperTest, GivesItsFilesInPiecesThatMakeThemWhole) {
  const Json begun = Ask("backup.begin", {{"id", "b1"}});
  const Json files = {{{"name", "000007.sst"}, {"bytes", large_.size()}},
                      {{"name", "CURRENT"}, {"bytes", 16}}};
  EXPECT_EQ(begun["files"], files);
  EXPECT_TRUE(keeper_.holds());

  std::string got;
  while (got.size() < large_.size()) {
    const auto reply =
        Run("backup.read", {{"id", "b1"}, {"file", "000007.sst"}, {"offset", got.size()}});
    ASSERT_FALSE(reply.error.has_value()) << reply.error->text;
    ASSERT_FALSE(reply.data.empty());
    got += reply.data;
  }
  EXPECT_EQ(got, large_);
  const Digest digest = Hash128(large_);
  EXPECT_EQ(Ask("backup.digest", {{"id", "b1"}, {"file", "000007.sst"}})["xxh3"],
            IdToHex(digest.high, digest.low));

  EXPECT_EQ(Ask("backup.begin", {{"id", "b1"}})["files"], files) << "asked again";
  EXPECT_EQ(made_, 1);
  EXPECT_EQ(Ask("backup.show", Json::object())["held"]["bytes"], large_.size() + 16);

  EXPECT_EQ(Ask("backup.release", {{"id", "b1"}})["released"], true);
  EXPECT_FALSE(fs::exists(directory_ / "backup"));
  EXPECT_FALSE(keeper_.holds());
  EXPECT_EQ(Ask("backup.release", {{"id", "b1"}})["released"], false);
  const Error gone = Refused("backup.read", {{"id", "b1"}, {"file", "CURRENT"}});
  EXPECT_EQ(gone.code, Code::kConflict);
  EXPECT_THAT(gone.text, HasSubstr("it was released"));
}

TEST_F(BackupKeeperTest, ReadsNothingButItsOwnFiles) {
  std::ofstream(directory_ / "secret") << "s";
  Ask("backup.begin", {{"id", "b1"}});
  for (const std::string file : {"../../secret", "secret", "", "."}) {
    EXPECT_EQ(Refused("backup.read", {{"id", "b1"}, {"file", file}}).code, Code::kInvalidArgument);
    EXPECT_EQ(Refused("backup.digest", {{"id", "b1"}, {"file", file}}).code,
              Code::kInvalidArgument);
  }
  for (const std::string& id : {std::string(), std::string("."), std::string("../b"),
                                std::string("a/b"), std::string(65, 'a')}) {
    EXPECT_EQ(Refused("backup.begin", {{"id", id}}).code, Code::kInvalidArgument) << id;
  }
  EXPECT_EQ(Refused("backup.read", {{"id", "b1"}, {"file", "CURRENT"}, {"offset", 17}}).code,
            Code::kInvalidArgument);
  EXPECT_EQ(Refused("backup.begin", {{"id", "b1"}, {"no", 1}}).code, Code::kInvalidArgument);
  EXPECT_EQ(Refused("backup.begin", {{"id", "b2"}, {"supersede", 1}}).code, Code::kInvalidArgument);
  EXPECT_EQ(Refused("backup.read", {{"id", "b1"}}).code, Code::kInvalidArgument);
}

TEST_F(BackupKeeperTest, HoldsOneAndTakesItFromNobodyWhoAsksForIt) {
  Ask("backup.begin", {{"id", "b1"}});
  now_ += BackupKeeper::kTakenFor - std::chrono::seconds(1);
  const Error taken = Refused("backup.begin", {{"id", "b2"}});
  EXPECT_EQ(taken.code, Code::kConflict);
  EXPECT_THAT(taken.text, HasSubstr("b1"));
  EXPECT_TRUE(Lies("b1"));
  Ask("backup.begin", {{"id", "b2"}, {"supersede", true}});
  EXPECT_FALSE(Lies("b1"));
  EXPECT_TRUE(Lies("b2"));
  EXPECT_THAT(Refused("backup.read", {{"id", "b1"}, {"file", "CURRENT"}}).text, HasSubstr("b2"));
  now_ += BackupKeeper::kTakenFor;
  Ask("backup.begin", {{"id", "b3"}});
  EXPECT_FALSE(Lies("b2"));
}

TEST_F(BackupKeeperTest, LetsGoOfWhatNobodyAsksForAndOfAllWhenToldTo) {
  Ask("backup.begin", {{"id", "b1"}});
  now_ += BackupKeeper::kUnaskedMax - std::chrono::seconds(1);
  keeper_.DropUnasked(now_);
  Ask("backup.digest", {{"id", "b1"}, {"file", "CURRENT"}});
  now_ += std::chrono::seconds(1);
  keeper_.DropUnasked(now_);
  EXPECT_TRUE(keeper_.holds()) << "it was asked for a second ago";
  now_ += BackupKeeper::kUnaskedMax;
  keeper_.DropUnasked(now_);
  EXPECT_FALSE(keeper_.holds());
  EXPECT_FALSE(Lies("b1"));
  EXPECT_THAT(Refused("backup.digest", {{"id", "b1"}, {"file", "CURRENT"}}).text,
              HasSubstr("nobody asked for it"));

  Ask("backup.begin", {{"id", "b2"}});
  EXPECT_TRUE(keeper_.Drop("the disk was nearly full"));
  EXPECT_FALSE(keeper_.Drop("again"));
  EXPECT_THAT(Refused("backup.digest", {{"id", "b2"}, {"file", "CURRENT"}}).text,
              HasSubstr("nearly full"));
}

TEST_F(BackupKeeperTest, LeavesNothingOfOneThatCouldNotBeMade) {
  fail_ = true;
  EXPECT_EQ(Refused("backup.begin", {{"id", "b1"}}).code, Code::kIo);
  EXPECT_FALSE(keeper_.holds());
  EXPECT_FALSE(fs::exists(directory_ / "backup"));
  fail_ = false;
  no_room_ = Error{Code::kUnavailable, "3 % are free"};
  EXPECT_EQ(Refused("backup.begin", {{"id", "b1"}}).text, "3 % are free");
  EXPECT_EQ(made_, 1);
  no_room_.reset();
  Ask("backup.begin", {{"id", "b1"}});
}

TEST_F(BackupKeeperTest, RemovesWhatAnEarlierLifeLeft) {
  Ask("backup.begin", {{"id", "b1"}});
  BackupKeeper next(directory_.path().string(),
                    [this](const std::string& path) { return Make(path); });
  next.RemoveLeftovers();
  EXPECT_FALSE(Lies("b1"));
  EXPECT_FALSE(next.holds());
}

TEST(BackupKeeper, ANodeInMemorySaysThatItHasNothingToBackUp) {
  TempDir directory;
  BackupKeeper keeper(directory.path().string(), nullptr);
  fs::create_directory(directory / "backup");
  keeper.RemoveLeftovers();
  EXPECT_TRUE(fs::exists(directory / "backup")) << "not ours";
  const auto reply = keeper.Run(
      {.id = {1, 2}, .call = "backup.begin", .arguments = R"({"id":"b"})"}, {}, std::nullopt);
  EXPECT_EQ(reply.error.value_or(Error{}).code, Code::kUnsupported);
}

}  // namespace
}  // namespace eddy::server
