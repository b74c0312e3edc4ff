// What the daemon does about a disk that does not keep what it was given.
#include <sys/statvfs.h>

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/core.h>

#include "server/daemon.h"

namespace eddy::server {

namespace {

// A disk that goes on rotting is not mended by writing its files anew again and again.
constexpr Duration kSalvageAgainAfter = std::chrono::minutes(10);

// What must be free beyond the reserve before all is taken again, so that it does not come and go.
constexpr uint64_t kRoomAgainPercent = 1;

}  // namespace

void Daemon::WatchRoom() {
  struct statvfs disk{};
  if (config_.engine == EngineKind::kMemory || config_.disk_reserve_percent == 0 ||
      ::statvfs(config_.data_dir.c_str(), &disk) != 0 || disk.f_blocks == 0) {
    return;
  }
  // As `df` has it: of what this user may use.
  const uint64_t used = disk.f_blocks - disk.f_bfree;
  disk_free_percent_ = disk.f_bavail * 100 / std::max<uint64_t>(used + disk.f_bavail, 1);
  if (faults_ != nullptr && faults_->machine().disk_full) disk_free_percent_ = 0;
  const uint64_t least = config_.disk_reserve_percent + (no_room_ ? kRoomAgainPercent : 0);
  const bool no_room = disk_free_percent_ < least;
  if (std::exchange(no_room_, no_room) == no_room) return;
  node_->NoRoom(no_room);
  if (!no_room) {
    runner_->RefuseForRoom(std::nullopt);
    log_->Log(LogLevel::kInfo, fmt::format("{} % of the disk of {} are free: taking writes again",
                                           disk_free_percent_, config_.data_dir));
    return;
  }
  const std::string why = fmt::format(
      "only {} % of the disk of {} are free, and {} % are kept in reserve (disk_reserve_percent)",
      disk_free_percent_, config_.data_dir, config_.disk_reserve_percent);
  runner_->RefuseForRoom(
      Error{Code::kUnavailable,
            fmt::format("node {}: {}; make room, delete keys, or add nodes", config_.name, why)});
  log_->Log(
      LogLevel::kError,
      fmt::format("{}: this node takes no more writes but deletes; reads go on, and the other "
                  "nodes keep what is for this one; make room, and it goes on by itself",
                  why));
}

void Daemon::WatchBackup() {
  if (!backups_->holds() || backup_watched_) return;
  struct Watched {
    MonotonicTime now;
    bool no_room;
    bool dropped = false;
  };
  const auto watched = std::make_shared<Watched>(Watched{.now = clock(), .no_room = no_room_});
  backup_watched_ = backup_thread_->Begin(
      [this, watched](storage::Engine*) {
        if (watched->no_room) {
          watched->dropped = backups_->Drop("its disk was nearly full");
        } else {
          backups_->DropUnasked(watched->now);
        }
      },
      [this, watched] {
        backup_watched_ = false;
        if (!watched->dropped) return;
        log_->Log(LogLevel::kWarning,
                  "the disk is nearly full, so the backup under way was given up, and with it the "
                  "deleted files that it still held");
      });
}

void Daemon::WatchDamage() {
  const size_t ranges = node_->damaged_ranges();
  if (ranges > told_ranges_) {
    limited_log_.Log(
        clock(), "damage", LogLevel::kError,
        fmt::format("records have rotted on the disk: {} of {} ranges of tokens, in {} partitions, "
                    "are answered for by the other replicas until they have been brought back from "
                    "them; look after the disk",
                    ranges, 1 << storage::kTokenRangeBits, node_->damaged_partitions()));
  } else if (ranges == 0 && told_ranges_ > 0) {
    log_->Log(LogLevel::kInfo, "all that had rotted has been brought back from the other replicas");
  }
  told_ranges_ = ranges;

  const std::optional<Error> damaged = engine_->Health().damaged;
  if (!damaged || stage_ != Stage::kServing || std::exchange(told_of_files_, true)) return;
  if (again_ && clock() - started_at_ < kSalvageAgainAfter) {
    log_->Log(
        LogLevel::kError,
        fmt::format("files have rotted again, right after they were written anew ({}): replace "
                    "the disk, and start this node with an empty directory and --replace {}",
                    damaged->text, config_.name));
    return;
  }
  if (const auto asked = engine_->AskForSalvage(); !asked) {
    log_->Log(LogLevel::kError,
              fmt::format("files have rotted ({}), and cannot be written anew: {}", damaged->text,
                          asked.error().text));
    return;
  }
  log_->Log(
      LogLevel::kError,
      fmt::format("files have rotted ({}): this node closes its directory and opens it again, "
                  "to write them anew without what is lost",
                  damaged->text));
  open_again_ = true;
  BeginStop();
}

}  // namespace eddy::server
