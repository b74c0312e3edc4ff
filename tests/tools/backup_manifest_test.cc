// What a backup's manifest says, and that nothing else is taken for one.
#include "tools/backup_manifest.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <rapidcheck/gtest.h>

#include "base/random.h"
#include "tests/storage/temp_dir.h"
#include "tools/backup_folder.h"

namespace eddy::tools {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;

std::string MakeName(Random* random) {
  constexpr std::string_view kLetters = "abcXYZ019_-";
  std::string name;
  for (uint64_t i = random->Between(1, 12); i > 0; --i) {
    name += kLetters[random->Below(kLetters.size())];
  }
  return name;
}
Digest MakeDigest(Random* random) { return {.high = random->Next(), .low = random->Next()}; }

BackupManifest MakeManifest(Random* random) {
  BackupManifest manifest;
  manifest.id = MakeName(random);
  manifest.created_at =
      WallTime(std::chrono::milliseconds(static_cast<int64_t>(random->Below(1ULL << 45))));
  manifest.software = "eddyctl \"1\"\n";
  manifest.cluster = "Kreis \xC3\xBC " + MakeName(random);
  manifest.layout_version = random->Next();
  manifest.layout = MakeDigest(random);
  manifest.partitions = static_cast<uint32_t>(random->Next());
  for (uint64_t i = 0; i < random->Below(4); ++i) {
    BackupNode node{.name = MakeName(random) + std::to_string(i),
                    .id = random->NextId<NodeId>(),
                    .software = "eddyd",
                    .rows = std::nullopt,
                    .files = {}};
    if (random->Chance(1, 2)) {
      node.rows = BackupRows{.records = random->Next(),
                             .tombstones = random->Next(),
                             .hints = random->Next(),
                             .bad = random->Next()};
    }
    for (uint64_t k = random->Below(5); k > 0; --k) {
      node.files.push_back({.name = std::to_string(k) + ".sst",
                            .bytes = random->Next(),
                            .xxh3 = MakeDigest(random)});
    }
    manifest.nodes.push_back(std::move(node));
  }
  if (random->Chance(1, 2)) manifest.without.push_back(MakeName(random));
  return manifest;
}

Error ErrorOf(const Result<BackupManifest>& manifest) {
  return manifest ? Error{} : manifest.error();
}

// With a checksum that is right, so that the rest of it is what is judged.
std::string Sealed(Json object) {
  object.erase("checksum");
  const Digest digest = Hash128(object.dump());
  object["checksum"] = IdToHex(digest.high, digest.low);
  return object.dump();
}

RC_GTEST_PROP(BackupManifest, ComesBackAsItWas, (uint64_t seed)) {
  Random random(seed);
  const BackupManifest manifest = MakeManifest(&random);
  const std::string text = EncodeManifest(manifest);
  const auto decoded = DecodeManifest(text);
  RC_ASSERT(decoded.has_value());
  RC_ASSERT((*decoded == manifest));
  // However it is laid out.
  RC_ASSERT(DecodeManifest(Json::parse(text).dump()).has_value());
}

RC_GTEST_PROP(BackupManifest, IsRefusedWhereAByteIsWrong, (uint64_t seed)) {
  Random random(seed);
  const BackupManifest manifest = MakeManifest(&random);
  std::string text = EncodeManifest(manifest);
  char& byte = text[random.Below(text.size())];
  // Layout is not what is protected, and a blank may become another one.
  if (byte == ' ' || byte == '\n') return;
  const auto flipped = static_cast<char>(byte ^ static_cast<char>(1 << random.Below(7)));
  byte = flipped;
  const auto decoded = DecodeManifest(text);
  RC_ASSERT(!decoded.has_value());
  RC_ASSERT(decoded.error().code == Code::kCorruption ||
            decoded.error().code == Code::kWrongCluster);
}

TEST(BackupManifest, CutShortOrSomethingElseIsDamaged) {
  Random random(3);
  const std::string text = EncodeManifest(MakeManifest(&random));
  for (size_t bytes = 0; bytes + 2 < text.size(); bytes += 7) {
    EXPECT_EQ(ErrorOf(DecodeManifest(text.substr(0, bytes))).code, Code::kCorruption) << bytes;
  }
  for (const char* other : {"", "null", "[]", "{}", R"({"eddy_backup":1})",
                            R"({"eddy_backup":"1"})", "{\"key\":\"a line of an export\"}"}) {
    EXPECT_EQ(ErrorOf(DecodeManifest(other)).code, Code::kCorruption) << other;
  }
}

TEST(BackupManifest, ANewerFormatIsRefusedWithTheWayOut) {
  const Error error = ErrorOf(DecodeManifest(R"({"eddy_backup":2,"anything":"else"})"));
  EXPECT_EQ(error.code, Code::kWrongCluster);
  EXPECT_THAT(error.text, HasSubstr("newer version"));
}

TEST(BackupManifest, NamesNothingOutsideOfItsDirectory) {
  Random random(4);
  BackupManifest manifest = MakeManifest(&random);
  manifest.nodes = {{.name = "n1",
                     .id = {.high = 1, .low = 2},
                     .software = "eddyd",
                     .rows = std::nullopt,
                     .files = {{.name = "1.sst", .bytes = 1, .xxh3 = {}}}}};
  const Json good = Json::parse(EncodeManifest(manifest));
  ASSERT_TRUE(DecodeManifest(Sealed(good)).has_value());
  for (const char* name : {"", ".", "..", "../n1", "/etc", "a/b", ".hidden", "a b"}) {
    Json node = good;
    node["nodes"][0]["name"] = name;
    EXPECT_EQ(ErrorOf(DecodeManifest(Sealed(node))).code, Code::kCorruption) << name;
    Json file = good;
    file["nodes"][0]["files"][0]["name"] = name;
    EXPECT_EQ(ErrorOf(DecodeManifest(Sealed(file))).code, Code::kCorruption) << name;
  }
}

TEST(BackupManifest, SaysOfEachMemberThatIsMissingOrWrongThatItIsDamaged) {
  Random random(5);
  BackupManifest manifest = MakeManifest(&random);
  manifest.nodes = {{.name = "n1",
                     .id = {.high = 1, .low = 2},
                     .software = "eddyd",
                     .rows = BackupRows{},
                     .files = {{.name = "1.sst", .bytes = 1, .xxh3 = {}}}}};
  const Json good = Json::parse(EncodeManifest(manifest));
  const auto code_of = [](const Json& object) {
    return ErrorOf(DecodeManifest(Sealed(object))).code;
  };
  for (const auto& [name, value] : good.items()) {
    if (name == "checksum") continue;
    Json without = good;
    without.erase(name);
    EXPECT_EQ(code_of(without), Code::kCorruption) << name;
    Json wrong = good;
    wrong[name] = -1;
    EXPECT_EQ(code_of(wrong), Code::kCorruption) << name;
  }
  Json more = good;
  more["unknown"] = 1;
  EXPECT_EQ(code_of(more), Code::kCorruption);
  Json twice = good;
  twice["nodes"].push_back(good["nodes"][0]);
  EXPECT_EQ(code_of(twice), Code::kCorruption);
}

// ---- The directory of backups

void MakeBackup(const TempDir& directory, const std::string& name, const std::string& id) {
  Random random(6);
  BackupManifest manifest = MakeManifest(&random);
  manifest.id = id;
  std::filesystem::create_directory(directory / name);
  ASSERT_TRUE(WriteWholeFile(directory / (name + "/" + kManifestName), EncodeManifest(manifest))
                  .has_value());
}

TEST(BackupFolder, FindsTheNewestOrTheOneThatIsNamedAndNothingThatIsNotWhole) {
  TempDir directory;
  EXPECT_EQ(FindBackup(directory.path().string(), "").error().code, Code::kInvalidArgument);
  EXPECT_EQ(FindBackup(directory / "none", "").error().code, Code::kInvalidArgument);
  MakeBackup(directory, "2026a", "2026a");
  MakeBackup(directory, "2026b", "2026b");
  MakeBackup(directory, "2026c.partial", "2026c");
  std::filesystem::create_directory(directory / "2026d");
  const auto newest = FindBackup(directory.path().string(), "");
  ASSERT_TRUE(newest.has_value()) << newest.error().text;
  EXPECT_EQ(newest->manifest->id, "2026b");
  EXPECT_EQ(FindBackup(directory.path().string(), "2026a")->manifest->id, "2026a");
  EXPECT_EQ(FindBackup(directory / "2026a", "")->manifest->id, "2026a") << "itself";
  EXPECT_THAT(FindBackup(directory.path().string(), "2026c").error().text,
              HasSubstr("interrupted"));
  const auto list = ListBackups(directory.path().string());
  ASSERT_TRUE(list.has_value());
  EXPECT_EQ(list->backups.size(), 2u);
  EXPECT_EQ(list->partials.size(), 1u);
}

TEST(BackupFolder, IsLockedForOneAndIsNoBackupItself) {
  TempDir directory;
  {
    const auto lock = FolderLock::Take(directory / "new/deep");
    ASSERT_TRUE(lock.has_value()) << lock.error().text;
    EXPECT_EQ(FolderLock::Take(directory / "new/deep").error().code, Code::kConflict);
  }
  EXPECT_TRUE(FolderLock::Take(directory / "new/deep").has_value());
  MakeBackup(directory, "one", "one");
  EXPECT_EQ(FolderLock::Take(directory / "one").error().code, Code::kInvalidArgument);
  ASSERT_TRUE(WriteWholeFile(directory / "file", "x").has_value());
  EXPECT_EQ(FolderLock::Take(directory / "file").error().code, Code::kIo);
}

TEST(BackupFolder, HashesAFileAsItsBytes) {
  TempDir directory;
  const std::string bytes(3'000'001, 'z');
  ASSERT_TRUE(WriteWholeFile(directory / "f", bytes).has_value());
  uint64_t heard = 0;
  EXPECT_EQ(HashFile(directory / "f",
                     [&](uint64_t more) {
                       heard += more;
                       return true;
                     }),
            Hash128(bytes));
  EXPECT_EQ(heard, bytes.size());
  EXPECT_FALSE(HashFile(directory / "f", [](uint64_t) { return false; }).has_value());
  EXPECT_FALSE(HashFile(directory / "none", nullptr).has_value());
  EXPECT_EQ(ReadWholeFile(directory / "f", 100).error().code, Code::kCorruption);
}

}  // namespace
}  // namespace eddy::tools
