// inspect: what lies in a stopped node's directory.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "ring/layout_history.h"
#include "ring/token.h"
#include "storage/damage.h"
#include "storage/identity.h"
#include "storage/inspection.h"
#include "storage/key.h"
#include "storage/record_codec.h"
#include "storage/rocks_engine.h"
#include "storage/rocks_log_check.h"
#include "tools/command.h"
#include "tools/interrupt.h"
#include "tools/json_lines.h"
#include "tools/progress.h"
#include "tools/table.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;
using storage::BadRow;
using storage::DirectoryIdentity;
using storage::Inspection;
using storage::Space;

struct InspectOptions {
  std::string directory;
  std::string bucket = "default";
  std::optional<std::string> key;
};

std::string_view SpaceName(Space space) { return storage::kSpaceNames[static_cast<size_t>(space)]; }

// By name where the newest layout has one.
class Names {
 public:
  explicit Names(const DirectoryIdentity& identity) {
    if (identity.layouts.empty()) return;
    if (auto layouts = ring::LayoutHistory::Decode(identity.layouts)) layouts_ = *layouts;
  }
  std::string Of(NodeId node) const {
    const ring::Member* member = layouts_ ? layouts_->newest().Find(node) : nullptr;
    return member == nullptr ? node.ToHex() : member->name;
  }
  const std::optional<ring::LayoutHistory>& layouts() const { return layouts_; }

 private:
  std::optional<ring::LayoutHistory> layouts_;
};

Json IdentityObject(const DirectoryIdentity& identity, const Names& names) {
  Json object = {{"format", identity.format},
                 {"cluster", identity.cluster},
                 {"node", identity.node.ToHex()},
                 {"name", identity.name},
                 {"actor", identity.actor.ToHex()},
                 {"lease_end", identity.lease_end},
                 {"stopped_cleanly", identity.clean.has_value()},
                 {"layout_version", nullptr},
                 {"partitions", nullptr},
                 {"leases_witnessed", identity.witnessed},
                 {"damaged_ranges", identity.damaged.size()}};
  if (names.layouts()) {
    object["layout_version"] = names.layouts()->newest().version();
    object["partitions"] = names.layouts()->newest().partition_count();
  }
  return object;
}

Json InspectionObject(const DirectoryIdentity& identity, const Names& names,
                      const Inspection& found, bool log_rotted) {
  Json object = IdentityObject(identity, names);
  object["buckets"] = Json::array();
  for (const auto& [name, bucket] : found.buckets) {
    Json entry;
    SetBytes("bucket", name, &entry);
    entry["records"] = bucket.records;
    entry["tombstones"] = bucket.tombstones;
    entry["bytes"] = bucket.bytes;
    object["buckets"].push_back(std::move(entry));
  }
  object["siblings"] = Json::object();
  for (const auto& [siblings, records] : found.siblings) {
    object["siblings"][std::to_string(siblings)] = records;
  }
  object["record_bytes"] = {{"median", found.record_bytes.Quantile(5'000)},
                            {"p99", found.record_bytes.Quantile(9'900)},
                            {"max", found.record_bytes.max()}};
  object["hints"] = Json::array();
  for (const auto& [owner, hints] : found.hints) {
    object["hints"].push_back({{"owner", owner.ToHex()},
                               {"name", names.Of(owner)},
                               {"rows", hints.rows},
                               {"bytes", hints.bytes}});
  }
  object["meta_rows"] = found.meta_rows;
  object["bad_rows"] = found.bad_rows;
  object["first_bad"] = Json::array();
  for (const BadRow& row : found.first_bad) {
    Json entry = {{"space", SpaceName(row.space)}, {"why", row.why}};
    SetBytes("row", row.key, &entry);
    object["first_bad"].push_back(std::move(entry));
  }
  object["unreadable"] = Json::object();
  for (const auto& [space, why] : found.unreadable) {
    object["unreadable"][std::string(SpaceName(space))] = why;
  }
  object["log_rotted"] = log_rotted;
  return object;
}

std::string NameOfBad(const BadRow& row) {
  if (row.space == Space::kMeta) return fmt::format("meta row {}", Quoted(row.key));
  std::string_view key = row.key;
  if (row.space == Space::kHints && key.size() > 16) key.remove_prefix(16);
  const std::string_view what = row.space == Space::kHints ? "hint of " : "";
  if (const auto named = storage::DecodeKey(key)) {
    return fmt::format("{}{} in bucket {}", what, Quoted(named->key), Quoted(named->bucket));
  }
  return fmt::format("{}row {}", what, Quoted(row.key));
}

void ShowInspection(const Output& output, const DirectoryIdentity& identity, const Names& names,
                    const Inspection& found, bool log_rotted) {
  output.Line(fmt::format("node {} of cluster {}, format {}; {}", identity.name, identity.cluster,
                          identity.format,
                          identity.clean ? "stopped cleanly" : "not stopped cleanly"));
  output.Line(fmt::format(
      "id {}, actor {}, counters leased up to {}, {} leases of others witnessed",
      identity.node.ToHex(), identity.actor.ToHex(), identity.lease_end, identity.witnessed));
  if (names.layouts()) {
    output.Line(fmt::format("layout {}, {} partitions", names.layouts()->newest().version(),
                            names.layouts()->newest().partition_count()));
  }
  output.Line("");
  std::vector<std::vector<std::string>> rows = {{"bucket", "records", "tombstones", "bytes"}};
  for (const auto& [name, bucket] : found.buckets) {
    rows.push_back({Quoted(name), FormatCount(bucket.records), FormatCount(bucket.tombstones),
                    FormatBytes(bucket.bytes)});
  }
  if (rows.size() == 1) rows.push_back({"none", "0", "0", FormatBytes(0)});
  for (const std::string& line : FormatTable(rows)) output.Line(line);
  std::vector<std::vector<std::string>> siblings = {{"values of a record", "records"}};
  for (const auto& [count, records] : found.siblings) {
    siblings.push_back({count == 0 ? "0 (tombstone)" : FormatCount(count), FormatCount(records)});
  }
  if (siblings.size() > 1) {
    output.Line("");
    for (const std::string& line : FormatTable(siblings)) output.Line(line);
    output.Line(fmt::format("record sizes: median {}, p99 {}, largest {}",
                            FormatBytes(found.record_bytes.Quantile(5'000)),
                            FormatBytes(found.record_bytes.Quantile(9'900)),
                            FormatBytes(found.record_bytes.max())));
  }
  if (!found.hints.empty()) {
    output.Line("");
    std::vector<std::vector<std::string>> hints = {{"hints for", "rows", "bytes"}};
    for (const auto& [owner, kept] : found.hints) {
      hints.push_back({names.Of(owner), FormatCount(kept.rows), FormatBytes(kept.bytes)});
    }
    for (const std::string& line : FormatTable(hints)) output.Line(line);
  }
  output.Line("");
  if (!identity.damaged.empty()) {
    output.Line(
        fmt::format("{} ranges of tokens are damaged: started, the node gets them back from "
                    "the others",
                    FormatCount(identity.damaged.size())));
  }
  for (const BadRow& row : found.first_bad) {
    output.Line(fmt::format("BAD: {}: {}", NameOfBad(row), row.why));
  }
  if (found.bad_rows > found.first_bad.size()) {
    output.Line(
        fmt::format("BAD: and {} more rows", FormatCount(found.bad_rows - found.first_bad.size())));
  }
  for (const auto& [space, why] : found.unreadable) {
    output.Line(fmt::format("BAD: {} cannot be read to its end: {}", SpaceName(space), why));
  }
  if (log_rotted) output.Line("BAD: the write-ahead log has rotted; what follows is not shown");
  output.Line(found.sound() && !log_rotted
                  ? "every checksum is right"
                  : "a node that starts with this directory gets what is bad back from the others");
}

ExitCode InspectAll(const GlobalOptions& global, storage::RocksEngine* engine,
                    const InspectOptions& options, const DirectoryIdentity& identity) {
  const Output& output = global.output;
  const Result<bool> log_rotted = storage::LogsHaveRotted(options.directory);
  if (!log_rotted) return output.Fail(log_rotted.error());
  CatchInterrupt();
  const uint64_t total = engine->Estimate().data_keys;
  Inspection found;
  bool interrupted = false;
  {
    Progress progress("rows", !output.quiet() && output.err_is_terminal());
    found = storage::Inspect(engine, [&](uint64_t rows, uint64_t) {
      progress.Update(rows, std::max(rows, total), rows);
      interrupted = Interrupted();
      return !interrupted;
    });
  }
  const Names names(identity);
  if (output.json()) {
    output.Json(InspectionObject(identity, names, found, *log_rotted));
  } else {
    ShowInspection(output, identity, names, found, *log_rotted);
  }
  if (interrupted) return ExitCode::kInterrupted;
  return found.sound() && !*log_rotted ? ExitCode::kOk : ExitCode::kUnhealthy;
}

Json RecordObject(const Result<std::string>& encoded) {
  if (!encoded) return {{"error", encoded.error().text}};
  const auto record = storage::DecodeRecord(*encoded);
  if (!record) return {{"error", record.error().text}};
  Json object = {{"bytes", encoded->size()}, {"seen", Json::array()}, {"siblings", Json::array()}};
  for (const lattice::Interval& interval : record->context().intervals()) {
    object["seen"].push_back(
        {{"actor", interval.actor.ToHex()}, {"after", interval.after}, {"last", interval.last}});
  }
  for (const lattice::Sibling& sibling : record->siblings()) {
    Json entry = {{"actor", sibling.dot.actor.ToHex()}, {"counter", sibling.dot.counter}};
    if (sibling.expires_at != lattice::Sibling::kNever) {
      entry["expires_at"] = FormatWallTime(sibling.expires_at);
    }
    SetBytes("value", sibling.value, &entry);
    object["siblings"].push_back(std::move(entry));
  }
  return object;
}

void ShowRecord(const Output& output, std::string_view title, const Json& object) {
  if (object.contains("error")) {
    return output.Line(fmt::format("{}: BAD: {}", title, object.at("error").get<std::string>()));
  }
  output.Line(fmt::format("{}: {} bytes, {}", title, object.at("bytes").get<uint64_t>(),
                          object.at("siblings").empty() ? "a tombstone" : "with values"));
  for (const Json& interval : object.at("seen")) {
    output.Line(fmt::format("  has seen {} ({}..{}]", interval.at("actor").get<std::string>(),
                            interval.at("after").get<uint64_t>(),
                            interval.at("last").get<uint64_t>()));
  }
  for (const Json& sibling : object.at("siblings")) {
    output.Line(fmt::format("  value of {} {}{}", sibling.at("actor").get<std::string>(),
                            sibling.at("counter").get<uint64_t>(),
                            sibling.contains("expires_at")
                                ? ", until " + sibling.at("expires_at").get<std::string>()
                                : ""));
  }
}

ExitCode InspectOne(const GlobalOptions& global, storage::RocksEngine* engine,
                    const InspectOptions& options, const DirectoryIdentity& identity) {
  const Output& output = global.output;
  if (auto ok = CheckKey(options.bucket, *options.key); !ok) return output.Fail(ok.error());
  const uint64_t token = ring::TokenOf(options.bucket, *options.key).value;
  const auto found =
      storage::InspectKey(engine, storage::EncodeKey({token, options.bucket, *options.key}));
  if (!found) return output.Fail(found.error());
  const Names names(identity);
  const bool damaged = std::ranges::binary_search(identity.damaged, storage::TokenRangeOf(token));
  const bool absent = found->record && found->record->empty();
  Json object = {{"token", fmt::format("{:016x}", token)},
                 {"damaged", damaged},
                 {"remembered_since", found->remembered_since},
                 {"record", absent ? Json() : RecordObject(found->record)},
                 {"hints", Json::object()}};
  bool bad = !found->record;
  for (const auto& [owner, hint] : found->hints) {
    bad |= !hint;
    object["hints"][names.Of(owner)] = RecordObject(hint);
  }
  if (output.json()) {
    output.Json(object);
  } else {
    output.Line(
        fmt::format("token {:016x}{}", token,
                    damaged ? ", in a damaged range: the node does not answer for it" : ""));
    if (absent) {
      output.Line("no record");
    } else {
      ShowRecord(output, "record", object.at("record"));
    }
    for (const auto& [name, hint] : object.at("hints").items()) {
      ShowRecord(output, "hint for " + name, hint);
    }
  }
  if (bad) return ExitCode::kUnhealthy;
  return absent && found->hints.empty() ? ExitCode::kNotFound : ExitCode::kOk;
}

}  // namespace

void AddInspectCommand(CLI::App* app, Commands* commands) {
  const auto options = std::make_shared<InspectOptions>();
  CLI::App* inspect = app->add_subcommand(
      "inspect", "Look into a stopped node's data directory and verify all that is in it");
  inspect->add_option("DIR", options->directory, "The data directory; nothing in it is changed")
      ->required();
  inspect->add_option("--bucket", options->bucket, "With --key: the bucket [default]");
  inspect->add_option("--key", options->key, "Show what is kept of this key");
  (*commands)[inspect] = [options](const GlobalOptions& global) {
    const auto engine = storage::RocksEngine::OpenToRead(options->directory);
    if (!engine) return global.output.Fail(engine.error());
    const auto identity = storage::PeekIdentity(engine->get());
    if (!identity) return global.output.Fail(identity.error());
    return options->key ? InspectOne(global, engine->get(), *options, *identity)
                        : InspectAll(global, engine->get(), *options, *identity);
  };
}

}  // namespace eddy::tools
