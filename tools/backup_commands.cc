// backup create, backup list, backup verify.
#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "tools/admin_json.h"
#include "tools/backup_check.h"
#include "tools/backup_folder.h"
#include "tools/backup_manifest.h"
#include "tools/backup_transfer.h"
#include "tools/command.h"
#include "tools/interrupt.h"
#include "tools/progress.h"
#include "tools/session.h"
#include "tools/table.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr uint64_t kMiB = uint64_t{1} << 20;

bool ShowsProgress(const Output& output) {
  return output.err_is_terminal() && !output.quiet() && !output.json();
}

std::string Plural(uint64_t count, const std::string& noun) {
  return fmt::format("{} {}{}", FormatCount(count), noun, count == 1 ? "" : "s");
}

Json FlawsObject(const std::vector<BackupFlaw>& flaws) {
  Json list = Json::array();
  for (const BackupFlaw& flaw : flaws) {
    list.push_back({{"where", flaw.where}, {"what", flaw.what}});
  }
  return list;
}

// ---- create

struct CreateRun {
  std::string directory;
  std::vector<std::string> without;
  uint64_t rate_mib = 0;
  bool supersede = false;
  bool unverified = false;
};

WallTime WallNow() {
  return WallTime(std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch()));
}

// 20260131T120000.000Z: in the order of time, and safe in every file system.
std::string IdOf(WallTime time) {
  const auto ms = time.time_since_epoch().count();
  return fmt::format("{:%Y%m%dT%H%M%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(ms / 1000)),
                     ms % 1000);
}

// The making of one backup: what is known of it, and where it goes.
class Creation {
 public:
  Creation(const GlobalOptions& global, const CreateRun& run) : global_(global), run_(run) {}

  ExitCode Run() {
    Status ready = Prepare();
    if (!ready) return global_.output.Fail(ready.error());
    CatchInterrupt();
    Status made = Fetch();
    if (made) made = ReadRows();
    if (made) made = Finish();
    if (made) return Report();
    const ExitCode code = Interrupted() ? ExitCode::kInterrupted : ExitCodeOf(made.error().code);
    Error error = made.error();
    error.text += fmt::format(
        "\nThis is no backup yet. What has arrived is in {}: the next `backup create` uses it, and "
        "then removes it.",
        partial_);
    return global_.output.Fail(error, code);
  }

 private:
  // Whom to ask, and where to put it.
  Status Prepare() {
    const auto status = AskStatus(global_);
    if (!status) return std::unexpected(status.error());
    auto lock = FolderLock::Take(run_.directory);
    if (!lock) return std::unexpected(lock.error());
    lock_.emplace(std::move(*lock));
    const auto list = ListBackups(run_.directory);
    if (!list) return std::unexpected(list.error());
    for (const FoundBackup& backup : list->backups) {
      if (!backup.manifest || backup.manifest->cluster == status->cluster) continue;
      return Fail(Code::kWrongCluster,
                  fmt::format("{} holds backups of cluster {}, and this is {}: give this one a "
                              "directory of its own",
                              run_.directory, backup.manifest->cluster, status->cluster));
    }
    partials_ = list->partials;
    manifest_.created_at = WallNow();
    manifest_.id = IdOf(manifest_.created_at);
    for (; fs::exists(PathOf(manifest_.id)) || fs::exists(PathOf(manifest_.id) + kPartialSuffix);
         manifest_.id = IdOf(manifest_.created_at)) {
      manifest_.created_at += std::chrono::milliseconds(1);
    }
    partial_ = PathOf(manifest_.id) + kPartialSuffix;
    manifest_.software = "eddyctl " EDDY_VERSION;
    manifest_.cluster = status->cluster;
    manifest_.layout_version = status->layout_version;
    manifest_.partitions = status->partitions;
    if (Status chosen = ChooseNodes(*status); !chosen) return chosen;
    return MakeSources(*list);
  }

  Status ChooseNodes(const wire::NodeStatus& status) {
    members_ = MembersByName(status);
    for (const std::string& name : run_.without) {
      const size_t left = std::erase_if(
          members_, [&](const wire::MemberStatus& member) { return member.name == name; });
      if (left == 0) {
        return Fail(Code::kInvalidArgument,
                    fmt::format("there is no member {} to leave out: eddyctl members shows them",
                                Quoted(name)));
      }
      manifest_.without.push_back(name);
    }
    if (members_.empty()) {
      return Fail(Code::kInvalidArgument, "no node is left to be backed up");
    }
    const bool changing = status.layout_newest != status.layout_version ||
                          std::ranges::any_of(members_, [](const wire::MemberStatus& member) {
                            return member.standing != wire::Standing::kMember;
                          });
    if (changing) {
      global_.output.Note(
          "The cluster is changing. Keys of buckets with n = 1 may be missed while they move: make "
          "another backup when `eddyctl cluster wait` is done.");
    }
    return {};
  }

  Status MakeSources(const BackupList& list) {
    // Files of the newest whole backup, and what attempts that failed have brought.
    std::vector<std::string> earlier;
    const auto newest = std::ranges::find_if(
        list.backups.rbegin(), list.backups.rend(),
        [](const auto& backup) -> bool { return backup.manifest.has_value(); });
    if (newest != list.backups.rend()) earlier.push_back(newest->path);
    earlier.insert(earlier.end(), list.partials.rbegin(), list.partials.rend());
    for (const wire::MemberStatus& member : members_) {
      if (!IsBackupName(member.name)) {
        return Fail(Code::kUnsupported,
                    fmt::format("no directory can be named as node {} is: leave it out with "
                                "--without, or give it another name",
                                Quoted(member.name)));
      }
      BackupFetchOptions options{.id = manifest_.id,
                                 .supersede = run_.supersede,
                                 .directory = partial_ + "/" + member.name,
                                 .earlier = {}};
      for (const std::string& path : earlier) options.earlier.push_back(path + "/" + member.name);
      std::error_code error;
      if (fs::create_directories(options.directory, error); error) {
        return Fail(Code::kIo,
                    fmt::format("cannot make {}: {}", options.directory, error.message()));
      }
      sources_.push_back({.name = member.name,
                          .id = member.id,
                          .address = AddressOf(member),
                          .fetch = std::make_unique<BackupFetch>(std::move(options))});
    }
    return {};
  }

  Status Fetch() {
    Progress progress("MiB", ShowsProgress(global_.output));
    const Status fetched = TransferBackup(
        global_, run_.rate_mib * kMiB,
        [&] {
          uint64_t done = 0;
          uint64_t total = 0;
          for (const BackupSource& source : sources_) {
            done += source.fetch->bytes_fetched() + source.fetch->bytes_kept();
            total += source.fetch->bytes_total();
          }
          progress.Update(done, total, done / kMiB);
          return !Interrupted();
        },
        &sources_);
    progress.Hide();
    ReleaseBackup(global_, manifest_.id, sources_);
    if (!fetched && fetched.error().code == Code::kUnavailable && !Interrupted()) {
      return Fail(fetched.error().code,
                  fetched.error().text +
                      "\nStart the node and try again, or leave it out with --without: what it "
                      "alone holds will then be missing");
    }
    return fetched;
  }

  Status ReadRows() {
    Progress progress("MiB checked", ShowsProgress(global_.output));
    uint64_t done = 0;
    for (BackupSource& source : sources_) {
      BackupNode node{.name = source.name,
                      .id = source.id,
                      .software = source.software,
                      .rows = std::nullopt,
                      .files = source.fetch->files()};
      const std::string directory = partial_ + "/" + source.name;
      if (Status synced = SyncDirectory(directory); !synced) return synced;
      if (!run_.unverified) {
        auto checked = CheckRows(directory, manifest_.cluster, node, [&](uint64_t bytes) {
          done += bytes;
          progress.Update(done, std::nullopt, done / kMiB);
          return !Interrupted();
        });
        if (Interrupted()) return Fail(Code::kUnavailable, "interrupted");
        if (!checked) {
          return Fail(checked.error().code,
                      fmt::format("node {}: {}\nIts files cannot be read as they arrived; leave it "
                                  "out with --without {}",
                                  source.name, checked.error().text, source.name));
        }
        node.rows = checked->rows;
        flaws_.insert(flaws_.end(), checked->flaws.begin(), checked->flaws.end());
      }
      manifest_.layout = source.layout;
      manifest_.nodes.push_back(std::move(node));
    }
    return {};
  }

  // From here on it is a backup.
  Status Finish() {
    Status done = WriteWholeFile(partial_ + "/" + kManifestName, EncodeManifest(manifest_));
    if (done) done = SyncDirectory(partial_);
    if (!done) return done;
    std::error_code error;
    if (fs::rename(partial_, PathOf(manifest_.id), error); error) {
      return Fail(Code::kIo, fmt::format("cannot rename {}: {}", partial_, error.message()));
    }
    if (done = SyncDirectory(run_.directory); !done) return done;
    for (const std::string& path : partials_) {
      if (fs::remove_all(path, error); error) {
        global_.output.Note(fmt::format("cannot remove {}: {}", path, error.message()));
      }
    }
    return {};
  }

  ExitCode Report() {
    const Output& output = global_.output;
    const auto rows = manifest_.rows();
    const auto ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_).count();
    uint64_t fetched = 0;
    for (const BackupSource& source : sources_) fetched += source.fetch->bytes_fetched();
    if (output.json()) {
      Json nodes = Json::array();
      for (size_t i = 0; i < sources_.size(); ++i) {
        const BackupFetch& fetch = *sources_[i].fetch;
        nodes.push_back({{"name", sources_[i].name},
                         {"files", fetch.files().size()},
                         {"bytes", fetch.bytes_total()},
                         {"fetched_bytes", fetch.bytes_fetched()},
                         {"kept_files", fetch.files_kept()},
                         {"kept_bytes", fetch.bytes_kept()},
                         {"rows", RowsObject(manifest_.nodes[i].rows)}});
      }
      output.Json({{"id", manifest_.id},
                   {"path", PathOf(manifest_.id)},
                   {"cluster", manifest_.cluster},
                   {"bytes", manifest_.bytes()},
                   {"fetched_bytes", fetched},
                   {"nodes", std::move(nodes)},
                   {"without", manifest_.without},
                   {"flaws", FlawsObject(flaws_)},
                   {"elapsed_ms", ms}});
    } else {
      output.Line(fmt::format("{}: {} of cluster {}, {}, {} of it fetched{}", PathOf(manifest_.id),
                              Plural(manifest_.nodes.size(), "node"), manifest_.cluster,
                              FormatBytes(manifest_.bytes()), FormatBytes(fetched),
                              rows ? fmt::format("; {} rows, every checksum {}",
                                                 FormatCount(rows->records + rows->hints),
                                                 flaws_.empty() ? "right" : "but those below right")
                                   : "; the rows were not read: eddyctl backup verify does"));
      for (const BackupFlaw& flaw : flaws_) {
        output.Line(fmt::format("BAD: {}: {}", flaw.where, flaw.what));
      }
      if (!flaws_.empty()) {
        output.Aside(
            "What is bad is so on the node already, and the other replicas' copies are in the "
            "backup, too. See eddyctl status, and make another backup when the node has mended "
            "it.");
      }
    }
    return flaws_.empty() ? ExitCode::kOk : ExitCode::kUnhealthy;
  }

  std::string PathOf(const std::string& id) const { return run_.directory + "/" + id; }

  const GlobalOptions& global_;
  const CreateRun& run_;
  const Clock::time_point began_ = Clock::now();
  std::optional<FolderLock> lock_;
  BackupManifest manifest_;
  std::vector<wire::MemberStatus> members_;
  std::vector<std::string> partials_;  // that were there before
  std::string partial_;
  std::vector<BackupSource> sources_;
  std::vector<BackupFlaw> flaws_;
};

// ---- list

Json ListObject(const BackupList& list) {
  Json backups = Json::array();
  for (const FoundBackup& backup : list.backups) {
    if (!backup.manifest) {
      backups.push_back({{"path", backup.path}, {"error", backup.manifest.error().text}});
      continue;
    }
    const BackupManifest& manifest = *backup.manifest;
    Json nodes = Json::array();
    for (const BackupNode& node : manifest.nodes) {
      nodes.push_back({{"name", node.name},
                       {"id", node.id.ToHex()},
                       {"files", node.files.size()},
                       {"bytes", node.bytes()},
                       {"rows", RowsObject(node.rows)}});
    }
    backups.push_back({{"id", manifest.id},
                       {"path", backup.path},
                       {"created", FormatWallTime(manifest.created_at)},
                       {"cluster", manifest.cluster},
                       {"layout_version", manifest.layout_version},
                       {"bytes", manifest.bytes()},
                       {"nodes", std::move(nodes)},
                       {"without", manifest.without}});
  }
  return {{"backups", std::move(backups)}, {"partial", list.partials}};
}

ExitCode RunList(const GlobalOptions& global, const std::string& directory) {
  const Output& output = global.output;
  const auto list = ListBackups(directory);
  if (!list) return output.Fail(list.error());
  const bool bad = std::ranges::any_of(
      list->backups, [](const FoundBackup& backup) { return !backup.manifest.has_value(); });
  if (output.json()) {
    output.Json(ListObject(*list));
  } else {
    std::vector<std::vector<std::string>> rows = {
        {"backup", "cluster", "nodes", "rows", "size", ""}};
    for (const FoundBackup& backup : list->backups) {
      if (!backup.manifest) continue;
      const BackupManifest& manifest = *backup.manifest;
      const auto counted = manifest.rows();
      rows.push_back({manifest.id, manifest.cluster, FormatCount(manifest.nodes.size()),
                      counted ? FormatCount(counted->records + counted->hints) : "not read",
                      FormatBytes(manifest.bytes()),
                      manifest.without.empty()
                          ? ""
                          : fmt::format("without {}", fmt::join(manifest.without, ", "))});
    }
    if (rows.size() > 1) {
      for (const std::string& line : FormatTable(rows)) output.Line(line);
    }
    for (const FoundBackup& backup : list->backups) {
      if (!backup.manifest) output.Line("BAD: " + backup.manifest.error().text);
    }
    for (const std::string& path : list->partials) {
      output.Line(
          fmt::format("{} is no backup: its making was interrupted, or is under way", path));
    }
    if (list->backups.empty()) output.Line(fmt::format("there is no backup in {}", directory));
  }
  if (bad) return ExitCode::kUnhealthy;
  return list->backups.empty() ? ExitCode::kNotFound : ExitCode::kOk;
}

// ---- verify

struct VerifyRun {
  std::string directory;
  std::string id;
  bool all = false;
};

// What is wrong with one backup. kUnavailable when it was interrupted.
Result<std::vector<BackupFlaw>> Verify(const FoundBackup& backup, Progress* progress) {
  const BackupManifest& manifest = *backup.manifest;
  uint64_t done = 0;
  uint64_t total = manifest.bytes();
  const auto read = [&](uint64_t bytes) {
    done += bytes;
    progress->Update(done, std::max(done, total), done / kMiB);
    return !Interrupted();
  };
  std::vector<BackupFlaw> flaws = CheckFiles(backup.path, manifest, read);
  for (const BackupNode& node : manifest.nodes) {
    if (Interrupted()) break;
    const auto checked = CheckRows(backup.path + "/" + node.name, manifest.cluster, node, read);
    if (!checked) {
      flaws.push_back({node.name, checked.error().text});
      continue;
    }
    flaws.insert(flaws.end(), checked->flaws.begin(), checked->flaws.end());
    if (node.rows && checked->flaws.empty() && checked->rows != *node.rows) {
      flaws.push_back({node.name, fmt::format("has {} records, and had {}", checked->rows.records,
                                              node.rows->records)});
    }
  }
  if (Interrupted()) return Fail(Code::kUnavailable, "interrupted: not everything was read");
  return flaws;
}

ExitCode RunVerify(const GlobalOptions& global, const VerifyRun& run) {
  const Output& output = global.output;
  std::vector<FoundBackup> backups;
  if (run.all) {
    auto list = ListBackups(run.directory);
    if (!list) return output.Fail(list.error());
    backups = std::move(list->backups);
  }
  if (backups.empty()) {
    auto found = FindBackup(run.directory, run.id);
    if (!found) return output.Fail(found.error());
    backups.push_back(std::move(*found));
  }
  CatchInterrupt();
  bool sound = true;
  Json shown = Json::array();
  for (const FoundBackup& backup : backups) {
    std::vector<BackupFlaw> flaws;
    if (backup.manifest) {
      Progress progress("MiB", ShowsProgress(output));
      auto verified = Verify(backup, &progress);
      if (!verified) return output.Fail(verified.error(), ExitCode::kInterrupted);
      flaws = std::move(*verified);
    } else {
      flaws.push_back({backup.path, backup.manifest.error().text});
    }
    sound = sound && flaws.empty();
    if (output.json()) {
      shown.push_back(
          {{"path", backup.path}, {"sound", flaws.empty()}, {"flaws", FlawsObject(flaws)}});
      continue;
    }
    for (const BackupFlaw& flaw : flaws) {
      output.Line(fmt::format("BAD: {}: {}", flaw.where, flaw.what));
    }
    if (flaws.empty()) {
      output.Line(fmt::format("{}: {}, {}: every checksum is right", backup.path,
                              Plural(backup.manifest->nodes.size(), "node"),
                              FormatBytes(backup.manifest->bytes())));
    } else {
      output.Aside(
          fmt::format("{} is damaged: make another backup, into another directory if the "
                      "disk is to blame",
                      backup.path));
    }
  }
  if (output.json()) output.Json(shown);
  return sound ? ExitCode::kOk : ExitCode::kUnhealthy;
}

}  // namespace

void AddBackupCommands(CLI::App* app, Commands* commands) {
  CLI::App* backup = app->add_subcommand("backup", "Back up a running cluster, and restore it");
  backup->require_subcommand(1);

  CLI::App* create = backup->add_subcommand(
      "create", "Copy what every node holds into a directory here, while the nodes go on");
  const auto creation = std::make_shared<CreateRun>();
  create
      ->add_option("DIR", creation->directory,
                   "Where backups are kept; where it has one already, only new files are fetched")
      ->required()
      ->option_text(" ");
  create->add_option("--without", creation->without, "Leave this node out")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text("NAME");
  create->add_option("--rate", creation->rate_mib, "At most so many MiB a second from all nodes")
      ->option_text("MIB");
  create->add_flag("--supersede", creation->supersede,
                   "Take the place of another backup that is being made of these nodes");
  create->add_flag("--unverified", creation->unverified,
                   "Do not read the records of what was copied: backup verify does so later");
  (*commands)[create] = [creation](const GlobalOptions& global) {
    return Creation(global, *creation).Run();
  };

  CLI::App* list = backup->add_subcommand("list", "Show the backups in a directory");
  const auto listed = std::make_shared<std::string>();
  list->add_option("DIR", *listed, "Where backups are kept")->required()->option_text(" ");
  (*commands)[list] = [listed](const GlobalOptions& global) { return RunList(global, *listed); };

  CLI::App* verify = backup->add_subcommand(
      "verify", "Read a backup, and check every file and every record in it");
  const auto verified = std::make_shared<VerifyRun>();
  verify->add_option("DIR", verified->directory, "Where backups are kept, or one of them")
      ->required()
      ->option_text(" ");
  CLI::Option* id = verify->add_option("--backup", verified->id, "Which one [the newest]");
  id->option_text("ID");
  verify->add_flag("--all", verified->all, "All of them")->excludes(id);
  (*commands)[verify] = [verified](const GlobalOptions& global) {
    return RunVerify(global, *verified);
  };
  AddRestoreCommand(backup, commands);
}

}  // namespace eddy::tools
