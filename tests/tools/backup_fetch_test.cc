// What is fetched of a node's checkpoint, and what is kept of earlier backups.
#include "tools/backup_fetch.h"

#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/ids.h"
#include "tests/storage/temp_dir.h"
#include "tools/backup_folder.h"

namespace eddy::tools {
namespace {

using Json = nlohmann::ordered_json;

Error ErrorOf(const Status& status) { return status ? Error{} : status.error(); }

// A node that holds these files.
struct FakeNode {
  std::map<std::string, std::string> files;
  std::map<std::string, int> calls = {};
  std::optional<Error> error = {};

  wire::AdminReply Answer(const wire::AdminRequest& request) {
    ++calls[request.call];
    const Json arguments = Json::parse(request.arguments);
    EXPECT_EQ(arguments.at("id"), "b");
    if (error) return {.id = {}, .error = error, .result = {}};
    if (request.call == "backup.begin") {
      Json list = Json::array();
      for (const auto& [name, bytes] : files) {
        list.push_back({{"name", name}, {"bytes", bytes.size()}});
      }
      return {.id = {}, .error = {}, .result = Json{{"files", list}}.dump()};
    }
    const std::string& bytes = files.at(arguments.at("file").get<std::string>());
    if (request.call == "backup.digest") {
      const Digest digest = Hash128(bytes);
      return {
          .id = {}, .error = {}, .result = Json{{"xxh3", IdToHex(digest.high, digest.low)}}.dump()};
    }
    return {.id = {},
            .error = {},
            .result = "{}",
            .data = bytes.substr(arguments.at("offset").get<size_t>(), wire::kAdminDataBytesMax)};
  }
};

// Runs to the end, with as many calls under way as may be.
Status RunToEnd(BackupFetch* fetch, FakeNode* node) {
  std::deque<wire::AdminReply> replies;
  while (!fetch->done()) {
    while (auto request = fetch->Next()) {
      EXPECT_LT(replies.size(), 8u);
      replies.push_back(node->Answer(*request));
    }
    if (replies.empty()) return Fail(Code::kTimeout, "it asks nothing and is not done");
    const Status taken = fetch->Take(replies.front());
    replies.pop_front();
    if (!taken) return taken;
  }
  return {};
}

void WriteTo(const std::string& path, const std::string& bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

FakeNode SomeNode() {
  return {.files = {{"000009.sst", std::string(5 * wire::kAdminDataBytesMax / 2, 'a')},
                    {"000012.sst", std::string(wire::kAdminDataBytesMax, 'b')},
                    {"000013.log", ""},
                    {"CURRENT", "MANIFEST-000005\n"}}};
}

void ExpectTheSame(const BackupFetch& fetch, const FakeNode& node, const std::string& directory) {
  ASSERT_EQ(fetch.files().size(), node.files.size());
  for (const BackupFile& file : fetch.files()) {
    const auto bytes = ReadWholeFile(directory + "/" + file.name, 1 << 30);
    ASSERT_TRUE(bytes.has_value()) << bytes.error().text;
    EXPECT_TRUE(*bytes == node.files.at(file.name)) << file.name;
    EXPECT_EQ(file.bytes, bytes->size());
    EXPECT_EQ(file.xxh3, Hash128(*bytes)) << file.name;
  }
}

TEST(BackupFetch, BringsEveryFileAndItsChecksum) {
  TempDir directory;
  FakeNode node = SomeNode();
  BackupFetch fetch({.id = "b", .directory = directory.path().string(), .earlier = {}});
  EXPECT_FALSE(fetch.begun());
  const Status run = RunToEnd(&fetch, &node);
  ASSERT_TRUE(run.has_value()) << run.error().text;
  ExpectTheSame(fetch, node, directory.path().string());
  EXPECT_EQ(fetch.bytes_fetched(), fetch.bytes_total());
  EXPECT_EQ(fetch.bytes_kept(), 0u);
  EXPECT_EQ(node.calls["backup.digest"], 0) << "nothing is there to compare with";
}

TEST(BackupFetch, KeepsTablesThatAreTheSameAndNothingElse) {
  TempDir directory;
  FakeNode node = SomeNode();
  // The newer has one that has rotted, so its like in the older one is not looked for; the small
  // files may change under their names.
  WriteTo(directory / "new/000009.sst", node.files["000009.sst"]);
  WriteTo(directory / "new/000012.sst", "c" + node.files["000012.sst"].substr(1));
  WriteTo(directory / "old/000009.sst", "too short");
  WriteTo(directory / "new/CURRENT", node.files["CURRENT"]);
  std::filesystem::create_directory(directory / "now");
  BackupFetch fetch({.id = "b",
                     .directory = directory / "now",
                     .earlier = {directory / "new", directory / "old", directory / "none"}});
  const Status run = RunToEnd(&fetch, &node);
  ASSERT_TRUE(run.has_value()) << run.error().text;
  ExpectTheSame(fetch, node, directory / "now");
  EXPECT_EQ(fetch.files_kept(), 1u);
  EXPECT_EQ(fetch.bytes_kept(), node.files["000009.sst"].size());
  EXPECT_EQ(fetch.bytes_kept() + fetch.bytes_fetched(), fetch.bytes_total());
  EXPECT_EQ(node.calls["backup.digest"], 2);
  EXPECT_EQ(std::filesystem::hard_link_count(directory / "now/000009.sst"), 2u);
  EXPECT_EQ(std::filesystem::hard_link_count(directory / "now/000012.sst"), 1u);
}

TEST(BackupFetch, EndsWithWhatTheNodeSays) {
  TempDir directory;
  FakeNode node = SomeNode();
  node.error = Error{Code::kConflict, "this node does not hold the backup b any more"};
  BackupFetch fetch({.id = "b", .directory = directory.path().string(), .earlier = {}});
  EXPECT_EQ(ErrorOf(RunToEnd(&fetch, &node)), *node.error);
}

TEST(BackupFetch, BelievesNoNodeThatAnswersNonsense) {
  const auto after_list = [](const std::string& result) {
    TempDir directory;
    BackupFetch fetch({.id = "b", .directory = directory.path().string(), .earlier = {}});
    EXPECT_EQ(fetch.Next()->call, "backup.begin");
    return ErrorOf(fetch.Take({.id = {}, .error = {}, .result = result})).code;
  };
  for (const char* result : {"", "{}", "[]", R"({"files":1})", R"({"files":[{"name":"a"}]})",
                             R"({"files":[{"name":"../a","bytes":1}]})",
                             R"({"files":[{"name":"a","bytes":1},{"name":"a","bytes":1}]})"}) {
    EXPECT_EQ(after_list(result), Code::kCorruption) << result;
  }
  TempDir directory;
  FakeNode node = SomeNode();
  BackupFetch fetch({.id = "b", .directory = directory.path().string(), .earlier = {}});
  ASSERT_TRUE(fetch.Take(node.Answer(*fetch.Next())).has_value());
  wire::AdminReply reply = node.Answer(*fetch.Next());
  reply.data.pop_back();
  EXPECT_EQ(ErrorOf(fetch.Take(reply)).code, Code::kCorruption) << "less than it has";
  EXPECT_EQ(ErrorOf(BackupFetch({.id = "b", .directory = {}, .earlier = {}}).Take(reply)).code,
            Code::kCorruption)
      << "nothing was asked";
}

TEST(BackupFetch, SaysWhatCannotBeWritten) {
  TempDir directory;
  FakeNode node = SomeNode();
  BackupFetch fetch({.id = "b", .directory = directory / "missing", .earlier = {}});
  const Error error = ErrorOf(RunToEnd(&fetch, &node));
  EXPECT_EQ(error.code, Code::kIo);
  EXPECT_NE(error.text.find("000009.sst"), std::string::npos) << error.text;
}

}  // namespace
}  // namespace eddy::tools
