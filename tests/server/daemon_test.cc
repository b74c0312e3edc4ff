// What a start refuses, and that it leaves the directory as it was. Starts and stops of whole
// processes are in tests/cluster/.
#include "server/daemon.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "storage/identity.h"
#include "storage/record_codec.h"
#include "storage/rocks_engine.h"
#include "tests/storage/temp_dir.h"

namespace eddy::server {
namespace {

using storage::Space;
using testing::HasSubstr;

class QuietLog final : public LogSink {
 public:
  void Log(LogLevel, std::string_view) override {}
};

class DaemonTest : public testing::Test {
 protected:
  // A cluster of one without open doors.
  Config Configure(std::string cluster = "test", std::string name = "n1") {
    Config config;
    config.cluster = std::move(cluster);
    config.name = std::move(name);
    config.data_dir = path_;
    config.native = config.resp = config.http = 0;
    CHECK(CompleteConfig(&config).empty());
    return config;
  }
  std::optional<Daemon::Problem> Start(Config config) {
    Daemon daemon(std::move(config), &log_);
    return daemon.Start();
  }
  std::unique_ptr<storage::RocksEngine> Open() {
    return std::move(storage::RocksEngine::Open({.path = path_}).value());
  }
  std::map<std::string, std::string> MetaRows() {
    std::map<std::string, std::string> rows;
    CHECK(Open()
              ->Scan(Space::kMeta, "", "",
                     [&](std::string_view key, std::string_view value) {
                       rows.emplace(key, value);
                       return true;
                     })
              .has_value());
    return rows;
  }

  const TempDir dir_;
  const std::string path_ = dir_ / "data";
  QuietLog log_;
};

TEST_F(DaemonTest, FoundsADirectoryAndStartsOnItAgain) {
  EXPECT_FALSE(Start(Configure()).has_value());
  const auto founded = MetaRows();
  EXPECT_FALSE(Start(Configure()).has_value());
  EXPECT_EQ(MetaRows().at("cluster"), founded.at("cluster"));
  EXPECT_NE(MetaRows().at("actor"), founded.at("actor")) << "a fresh lease for each start";
}

TEST_F(DaemonTest, RefusesADirectoryOfANewerFormatAndLeavesItAlone) {
  ASSERT_FALSE(Start(Configure()).has_value());
  std::string newer;
  AppendU32(&newer, storage::kFormatVersion + 1);
  storage::SealRow("format", &newer);
  ASSERT_TRUE(
      Open()->Write({{Space::kMeta, "format", newer}}, storage::Logging::kLogged).has_value());
  const auto before = MetaRows();

  const auto problem = Start(Configure());
  ASSERT_TRUE(problem.has_value());
  EXPECT_EQ(problem->exit, ExitCode::kDataDirectory);
  EXPECT_THAT(problem->text, HasSubstr(path_));
  EXPECT_THAT(problem->text, HasSubstr("format 2"));
  EXPECT_EQ(MetaRows(), before);
}

TEST_F(DaemonTest, RefusesTheDirectoryOfAnotherClusterOrNodeAndLeavesItAlone) {
  ASSERT_FALSE(Start(Configure()).has_value());
  const auto before = MetaRows();
  for (Config config : {Configure("other"), Configure("test", "n2")}) {
    const auto problem = Start(std::move(config));
    ASSERT_TRUE(problem.has_value());
    EXPECT_EQ(problem->exit, ExitCode::kDataDirectory);
    EXPECT_THAT(problem->text, HasSubstr(path_));
  }
  EXPECT_EQ(MetaRows(), before);
}

TEST_F(DaemonTest, RefusesADirectoryThatAnotherHasOpen) {
  ASSERT_FALSE(Start(Configure()).has_value());
  const auto open = Open();
  const auto problem = Start(Configure());
  ASSERT_TRUE(problem.has_value());
  EXPECT_EQ(problem->exit, ExitCode::kDataDirectory);
  EXPECT_THAT(problem->text, HasSubstr(path_));
}

TEST_F(DaemonTest, RefusesAFileInPlaceOfADirectory) {
  std::ofstream(path_) << "not a directory";
  const auto problem = Start(Configure());
  ASSERT_TRUE(problem.has_value());
  EXPECT_EQ(problem->exit, ExitCode::kDataDirectory);
  EXPECT_THAT(problem->text, HasSubstr(path_));
}

TEST_F(DaemonTest, RefusesADoorThatIsTakenBeforeItTouchesTheDirectory) {
  ASSERT_FALSE(Start(Configure()).has_value());
  const auto before = MetaRows();
  Config config = Configure();
  // Nobody's port, and a host that is not ours.
  config.native = 7400;
  config.listen = "192.0.2.1";
  const auto problem = Start(config);
  ASSERT_TRUE(problem.has_value());
  EXPECT_EQ(problem->exit, ExitCode::kDoor);
  EXPECT_EQ(MetaRows(), before);
}

TEST_F(DaemonTest, StartsOnAnEngineInMemory) {
  Config config = Configure();
  config.engine = EngineKind::kMemory;
  EXPECT_FALSE(Start(config).has_value());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace eddy::server
