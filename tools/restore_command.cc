// backup restore: the records of a backup joined with what a cluster holds (tools/restore.h).
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "storage/key.h"
#include "storage/rocks_engine.h"
#include "tools/backup_check.h"
#include "tools/backup_folder.h"
#include "tools/backup_reader.h"
#include "tools/command.h"
#include "tools/interrupt.h"
#include "tools/progress.h"
#include "tools/restore.h"
#include "tools/session.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kShownMax = 100;

struct RestoreRun {
  std::string directory;
  std::string id;
  std::string bucket;  // empty: all
  std::optional<std::string> continue_from;
  uint64_t rate = 0;  // records a second; 0: as fast as can be
  bool another_cluster = false;
  bool despite_damage = false;
  bool unverified = false;
  RestoreOptions options;
};

bool ShowsProgress(const Output& output) {
  return output.err_is_terminal() && !output.quiet() && !output.json();
}

uint64_t RecordsAllowed(uint64_t rate, Clock::duration elapsed) {
  if (rate == 0) return std::numeric_limits<uint64_t>::max();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(elapsed).count();
  return 1 + rate * static_cast<uint64_t>(ms) / 1000;
}

// Sixteen hexadecimal digits.
Result<uint64_t> TokenFrom(const std::string& text) {
  uint64_t high = 0;
  uint64_t token = 0;
  if (text.size() == 16 && IdFromHex(std::string(16, '0') + text, &high, &token)) return token;
  return Fail(Code::kInvalidArgument,
              fmt::format("--continue-from takes the sixteen digits that an earlier restore has "
                          "named, not {}",
                          Quoted(text)));
}

std::string TokenText(const std::string& key) {
  return fmt::format("{:016x}", storage::TokenOfKey(key));
}

class RestoreWork {
 public:
  RestoreWork(const GlobalOptions& global, RestoreRun run)
      : global_(global), output_(global.output), run_(std::move(run)) {
    run_.options.deadline = global.timeout;
  }

  ExitCode Run() {
    if (Status ready = Prepare(); !ready) return output_.Fail(ready.error());
    CatchInterrupt();
    if (!run_.unverified) {
      if (const auto failed = CheckFirst()) return *failed;
    }
    if (Status opened = OpenReader(); !opened) return output_.Fail(opened.error());
    Send();
    return Report();
  }

 private:
  Status Prepare() {
    if (run_.continue_from) {
      const auto token = TokenFrom(*run_.continue_from);
      if (!token) return std::unexpected(token.error());
      from_ = storage::FirstKeyOf(*token);
    } else {
      from_ = storage::FirstKeyOf(0);
    }
    auto found = FindBackup(run_.directory, run_.id);
    if (!found) return std::unexpected(found.error());
    path_ = found->path;
    manifest_ = std::move(*found->manifest);
    auto client = OpenClient(global_, Routing::kReplicas, run_.options.window + 1);
    if (!client) return std::unexpected(client.error());
    client_ = std::move(*client);
    // Before anything is read: where nobody answers, one clear error and not one a record.
    const auto status = client_->Status();
    if (!status) return std::unexpected(status.error());
    if (status->cluster != manifest_.cluster && !run_.another_cluster) {
      return Fail(Code::kWrongCluster,
                  fmt::format("the backup is of cluster {}, and this is {}: if that is meant, say "
                              "--another-cluster",
                              manifest_.cluster, status->cluster));
    }
    return {};
  }

  // Why nothing is restored; nullopt: go on.
  std::optional<ExitCode> CheckFirst() {
    Progress progress("MiB checked", ShowsProgress(output_));
    uint64_t done = 0;
    const auto flaws = CheckFiles(path_, manifest_, [&](uint64_t bytes) {
      done += bytes;
      progress.Update(done, manifest_.bytes(), done / kMiB);
      return !Interrupted();
    });
    progress.Hide();
    if (Interrupted()) {
      return output_.Fail({Code::kUnavailable, "interrupted: nothing was restored"},
                          ExitCode::kInterrupted);
    }
    if (flaws.empty()) return std::nullopt;
    for (const BackupFlaw& flaw : flaws) {
      output_.Aside(fmt::format("BAD: {}: {}", flaw.where, flaw.what));
    }
    if (run_.despite_damage) return std::nullopt;
    return output_.Fail(
        {Code::kCorruption,
         fmt::format("nothing was restored: {} is damaged ({}: {}). Take another backup, or "
                     "--despite-damage to restore what can be read: of each key the copies that "
                     "the other nodes had",
                     path_, flaws.front().where, flaws.front().what)},
        ExitCode::kUnhealthy);
  }

  Status OpenReader() {
    std::vector<BackupReader::Directory> directories;
    for (const BackupNode& node : manifest_.nodes) {
      auto engine = storage::RocksEngine::OpenToRead(path_ + "/" + node.name);
      if (engine) {
        directories.push_back({.name = node.name, .engine = std::move(*engine)});
      } else if (run_.despite_damage) {
        output_.Aside(fmt::format("BAD: {}: {}", node.name, engine.error().text));
      } else {
        return Fail(engine.error().code,
                    fmt::format("nothing was restored: {}", engine.error().text));
      }
    }
    auto reader = BackupReader::Open(std::move(directories), from_);
    if (!reader) return std::unexpected(reader.error());
    reader_.emplace(std::move(*reader));
    return {};
  }

  void Send() {
    Progress progress("records", ShowsProgress(output_));
    Restore restore(
        run_.options,
        [this](wire::ClientRequest request, Restore::Done done) {
          client_->Submit(std::move(request), std::move(done));
        },
        [&](const std::string& key, const Error& error) { ShowFailed(&progress, key, error); });
    const auto rows = manifest_.rows();
    const std::optional<uint64_t> total =
        rows ? std::optional(rows->records + rows->hints) : std::nullopt;
    const Clock::time_point began = Clock::now();
    uint64_t taken = 0;
    bool reading = true;
    while (reading || !restore.idle()) {
      while (reading && restore.Ready() && !Interrupted() &&
             taken < RecordsAllowed(run_.rate, Clock::now() - began)) {
        std::optional<BackupRecord> next = NextWanted();
        if (Interrupted()) break;
        if (!next) {
          complete_ = true;
          reading = false;
          break;
        }
        ++taken;
        last_taken_ = next->key;
        restore.Take(std::move(*next));
      }
      if (Interrupted() || restore.gave_up()) reading = false;
      if (client_->in_flight() > 0) {
        client_->Poll(std::chrono::milliseconds(10));
      } else if (reading) {
        poll(nullptr, 0, 5);
      }
      progress.Update(reader_->rows(), total, restore.counts().restored);
    }
    counts_ = restore.counts();
    first_failed_ = restore.first_failed();
    elapsed_ = Clock::now() - began;
  }

  std::optional<BackupRecord> NextWanted() {
    while (!Interrupted()) {
      auto next = reader_->Next();
      if (!next || run_.bucket.empty()) return next;
      const auto named = storage::DecodeKey(next->key);
      if (named && named->bucket == run_.bucket) return next;
    }
    return std::nullopt;
  }

  void ShowFailed(Progress* progress, const std::string& key, const Error& error) {
    if (shown_++ >= kShownMax) return;
    progress->Hide();
    const auto named = storage::DecodeKey(key);
    output_.Aside(fmt::format("{} in bucket {}: {}: {}", Quoted(named->key), Quoted(named->bucket),
                              CodeName(error.code), error.text));
  }

  ExitCode Report() {
    ExitCode code = ExitCode::kOk;
    if (Interrupted()) {
      code = ExitCode::kInterrupted;
    } else if (!complete_ || counts_.failed > 0) {
      code = ExitCode::kPartial;
    } else if (reader_->flaw_count() > 0) {
      code = ExitCode::kUnhealthy;
    }
    // All before this is there.
    std::optional<std::string> from;
    if (!complete_) from = TokenText(last_taken_.value_or(from_));
    if (first_failed_ && (!from || TokenText(*first_failed_) < *from)) {
      from = TokenText(*first_failed_);
    }
    const auto ms = static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(elapsed_).count());
    if (output_.json()) {
      Json object = {{"path", path_},
                     {"restored", counts_.restored},
                     {"tombstones", counts_.tombstones},
                     {"failed", counts_.failed},
                     {"bad_rows", reader_->flaw_count()},
                     {"complete", complete_},
                     {"elapsed_ms", ms},
                     {"exit_code", static_cast<int>(code)}};
      if (from) object["continue_from"] = *from;
      output_.Json(object);
      return code;
    }
    for (const BackupFlaw& flaw : reader_->flaws()) {
      output_.Aside(fmt::format("BAD: {}: {}", flaw.where, flaw.what));
    }
    if (reader_->flaw_count() > 0) {
      output_.Aside(
          fmt::format("{} rows could not be read; where another node's copy of a key was "
                      "good, that was restored",
                      FormatCount(reader_->flaw_count())));
    }
    if (shown_ > kShownMax) {
      output_.Aside(fmt::format("... and {} more", FormatCount(shown_ - kShownMax)));
    }
    output_.Line(fmt::format(
        "{} keys restored ({} of them deleted ones), {} failed, in {}.{:03} s "
        "({}/s)",
        FormatCount(counts_.restored), FormatCount(counts_.tombstones), FormatCount(counts_.failed),
        ms / 1000, ms % 1000, FormatCount(counts_.restored * 1000 / std::max<uint64_t>(ms, 1))));
    if (from) {
      output_.Aside(
          fmt::format("To go on: eddyctl backup restore {} --backup {} --continue-from {}",
                      run_.directory, manifest_.id, *from));
    }
    return code;
  }

  const GlobalOptions& global_;
  const Output& output_;
  RestoreRun run_;
  std::string from_;  // the key to begin at
  std::string path_;
  BackupManifest manifest_;
  std::unique_ptr<client::Client> client_;
  std::optional<BackupReader> reader_;
  std::optional<std::string> last_taken_;  // its key
  bool complete_ = false;                  // every record was taken
  RestoreCounts counts_;
  std::optional<std::string> first_failed_;
  Clock::duration elapsed_{};
  uint64_t shown_ = 0;
};

}  // namespace

void AddRestoreCommand(CLI::App* backup, Commands* commands) {
  CLI::App* restore = backup->add_subcommand(
      "restore",
      "Join a backup's records with what a running cluster of any size holds. Nothing newer is "
      "overwritten, and what was deleted since stays deleted as long as its tombstone is there: "
      "older than reap_minutes, a deleted key comes back");
  const auto run = std::make_shared<RestoreRun>();
  restore->add_option("DIR", run->directory, "Where backups are kept, or one of them")
      ->required()
      ->option_text(" ");
  restore->add_option("--backup", run->id, "Which one [the newest]")->option_text("ID");
  restore->add_option("--bucket", run->bucket, "Only the keys of this bucket")->option_text("NAME");
  restore->add_flag("--another-cluster", run->another_cluster,
                    "Into a cluster of another name than that of the backup");
  restore->add_flag("--despite-damage", run->despite_damage,
                    "Restore what can be read of a damaged backup");
  restore->add_flag("--unverified", run->unverified,
                    "Do not check the files first; every record is checked in any case");
  AddQuorumOption(restore, "-w", "Replicas that must store a record [of the bucket]",
                  &run->options.quorum.w);
  restore->add_option("--window", run->options.window, "Records on their way at a time [128]")
      ->check(CLI::Range(size_t{1}, size_t{10'000}).description(""))
      ->option_text("COUNT");
  restore->add_option("--rate", run->rate, "At most so many records a second")
      ->option_text("COUNT");
  restore
      ->add_option("--continue-from", run->continue_from,
                   "Skip what comes before this in the order of the ring")
      ->option_text("TOKEN");
  (*commands)[restore] = [run](const GlobalOptions& global) {
    return RestoreWork(global, *run).Run();
  };
}

}  // namespace eddy::tools
