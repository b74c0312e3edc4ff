#include "tools/backup_manifest.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kNameBytesMax = 255;

std::string HexOf(Digest digest) { return IdToHex(digest.high, digest.low); }

// One value, one text, however the manifest is laid out.
std::string Canonical(const Json& object) {
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json NodeObject(const BackupNode& node) {
  Json files = Json::array();
  for (const BackupFile& file : node.files) {
    files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"xxh3", HexOf(file.xxh3)}});
  }
  return {{"name", node.name},
          {"id", node.id.ToHex()},
          {"software", node.software},
          {"rows", RowsObject(node.rows)},
          {"files", std::move(files)}};
}

// The members of an object, each of which must be taken once. What is not as it should be is noted
// in `*wrong`, the first one of it, and read as nothing.
class Members {
 public:
  Members(const Json& object, std::string where, std::string* wrong)
      : object_(object), where_(std::move(where)), wrong_(wrong) {
    if (!object.is_object()) Note(fmt::format("{} is no object", where_));
  }
  // Null where it is not there.
  const Json& Take(const char* name) {
    static const Json kNothing;
    taken_.insert(name);
    const auto found = object_.find(name);
    if (found != object_.end()) return *found;
    Note(fmt::format("{} has no \"{}\"", where_, name));
    return kNothing;
  }
  uint64_t Number(const char* name) {
    const Json& value = Take(name);
    if (value.is_number_unsigned()) return value.get<uint64_t>();
    NoteWrong(name);
    return 0;
  }
  std::string Text(const char* name) {
    const Json& value = Take(name);
    if (value.is_string()) return value.get<std::string>();
    NoteWrong(name);
    return {};
  }
  std::string Name(const char* name) {
    std::string text = Text(name);
    if (!IsBackupName(text)) NoteWrong(name);
    return text;
  }
  Digest Hash(const char* name) {
    Digest digest;
    if (!IdFromHex(Text(name), &digest.high, &digest.low)) NoteWrong(name);
    return digest;
  }
  // Empty where it is none.
  const Json& List(const char* name) {
    static const Json kEmpty = Json::array();
    const Json& value = Take(name);
    if (value.is_array()) return value;
    NoteWrong(name);
    return kEmpty;
  }
  void End() {
    if (taken_.size() != object_.size()) Note(where_ + " has too much");
  }
  void Note(std::string what) {
    if (wrong_->empty()) *wrong_ = std::move(what);
  }

 private:
  void NoteWrong(const char* name) { Note(fmt::format("{}: \"{}\"", where_, name)); }

  const Json& object_;
  const std::string where_;
  std::string* const wrong_;
  std::set<std::string_view> taken_;
};

std::optional<BackupRows> RowsOf(const Json& object, std::string* wrong) {
  if (object.is_null()) return std::nullopt;
  Members members(object, "\"rows\"", wrong);
  BackupRows rows;
  rows.records = members.Number("records");
  rows.tombstones = members.Number("tombstones");
  rows.hints = members.Number("hints");
  rows.bad = members.Number("bad");
  members.End();
  return rows;
}

BackupNode NodeOf(const Json& object, std::string* wrong) {
  Members members(object, "a node", wrong);
  BackupNode node;
  node.name = members.Name("name");
  const Digest id = members.Hash("id");
  node.id = NodeId{.high = id.high, .low = id.low};
  node.software = members.Text("software");
  node.rows = RowsOf(members.Take("rows"), wrong);
  std::set<std::string> names;
  for (const Json& entry : members.List("files")) {
    Members file(entry, "a file", wrong);
    node.files.push_back(
        {.name = file.Name("name"), .bytes = file.Number("bytes"), .xxh3 = file.Hash("xxh3")});
    file.End();
    if (!names.insert(node.files.back().name).second) file.Note("a file is there twice");
  }
  members.End();
  return node;
}

BackupManifest ManifestOf(const Json& object, std::string* wrong) {
  Members members(object, "it", wrong);
  members.Number("eddy_backup");
  members.Text("checksum");
  BackupManifest manifest;
  manifest.id = members.Name("id");
  manifest.created_at = WallTime(
      std::chrono::milliseconds(static_cast<int64_t>(members.Number("created_ms") & INT64_MAX)));
  manifest.software = members.Text("software");
  manifest.cluster = members.Text("cluster");
  Members layout(members.Take("layout"), "\"layout\"", wrong);
  manifest.layout_version = layout.Number("version");
  manifest.layout = layout.Hash("digest");
  const uint64_t partitions = layout.Number("partitions");
  if (partitions > UINT32_MAX) layout.Note("\"partitions\"");
  manifest.partitions = static_cast<uint32_t>(partitions);
  layout.End();
  std::set<std::string> names;
  for (const Json& node : members.List("nodes")) {
    manifest.nodes.push_back(NodeOf(node, wrong));
    if (!names.insert(manifest.nodes.back().name).second) members.Note("a node is there twice");
  }
  for (const Json& name : members.List("without")) {
    if (!name.is_string()) {
      members.Note("\"without\"");
      break;
    }
    manifest.without.push_back(name.get<std::string>());
  }
  members.End();
  return manifest;
}

}  // namespace

Json RowsObject(const std::optional<BackupRows>& rows) {
  if (!rows) return nullptr;
  return {{"records", rows->records},
          {"tombstones", rows->tombstones},
          {"hints", rows->hints},
          {"bad", rows->bad}};
}

uint64_t BackupNode::bytes() const {
  uint64_t bytes = 0;
  for (const BackupFile& file : files) bytes += file.bytes;
  return bytes;
}

uint64_t BackupManifest::bytes() const {
  uint64_t bytes = 0;
  for (const BackupNode& node : nodes) bytes += node.bytes();
  return bytes;
}

std::optional<BackupRows> BackupManifest::rows() const {
  BackupRows sum;
  for (const BackupNode& node : nodes) {
    if (!node.rows) return std::nullopt;
    sum.records += node.rows->records;
    sum.tombstones += node.rows->tombstones;
    sum.hints += node.rows->hints;
    sum.bad += node.rows->bad;
  }
  return sum;
}

bool IsBackupName(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && name.front() != '.' &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

std::string EncodeManifest(const BackupManifest& manifest) {
  Json nodes = Json::array();
  for (const BackupNode& node : manifest.nodes) nodes.push_back(NodeObject(node));
  Json object = {
      {"eddy_backup", kBackupFormat},
      {"id", manifest.id},
      {"created_ms", static_cast<uint64_t>(manifest.created_at.time_since_epoch().count())},
      {"software", manifest.software},
      {"cluster", manifest.cluster},
      {"layout",
       {{"version", manifest.layout_version},
        {"digest", HexOf(manifest.layout)},
        {"partitions", manifest.partitions}}},
      {"nodes", std::move(nodes)},
      {"without", manifest.without}};
  object["checksum"] = HexOf(Hash128(Canonical(object)));
  return object.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<BackupManifest> DecodeManifest(std::string_view text) {
  const auto damaged = [](const std::string& why) {
    return Fail(Code::kCorruption, fmt::format("{} is damaged ({})", kManifestName, why));
  };
  Json object = Json::parse(text, nullptr, false);
  if (!object.is_object() || !object.contains("eddy_backup")) {
    return damaged("it is no manifest of a backup");
  }
  const Json& format = object["eddy_backup"];
  if (!format.is_number_unsigned()) return damaged("its format");
  if (format.get<uint64_t>() > kBackupFormat) {
    return Fail(Code::kWrongCluster,
                fmt::format("this backup has format {}, and this eddyctl reads up to {}: use the "
                            "eddyctl of a newer version",
                            format.get<uint64_t>(), kBackupFormat));
  }
  const auto checksum = object.find("checksum");
  if (checksum == object.end() || !checksum->is_string()) return damaged("it has no checksum");
  Json summed = object;
  summed.erase("checksum");
  if (checksum->get<std::string>() != HexOf(Hash128(Canonical(summed)))) {
    return damaged("its checksum is wrong");
  }
  std::string wrong;
  BackupManifest manifest = ManifestOf(object, &wrong);
  if (!wrong.empty()) return damaged(wrong);
  return manifest;
}

}  // namespace eddy::tools
