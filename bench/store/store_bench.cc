// eddy-store-bench DIRECTORY [SECONDS [ROUNDS]]: what the store of one node does, against programs
// on RocksDB that do nothing else, in turn, on one disk. DIRECTORY is made, filled and emptied.
// Prints a table; with --json as the last word, that as JSON.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/core.h>

#include "base/check.h"
#include "bench/store/bare.h"
#include "bench/store/clients.h"

namespace eddy::bench {
namespace {

using storage::Durability;

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

struct Line {
  std::string_view what;
  std::string_view bare_does;
  std::function<Measured()> eddy;
  std::function<Measured()> bare;
};

struct Cell {
  std::vector<double> per_second;
  std::vector<double> cpu_us;

  void Add(const Measured& measured) {
    const auto operations = static_cast<double>(std::max<uint64_t>(measured.operations, 1));
    per_second.push_back(static_cast<double>(measured.operations) / measured.seconds);
    cpu_us.push_back(measured.cpu_seconds * 1e6 / operations);
  }
};

// Keeps the disk as busy as it can be while it lives.
class BusyDisk {
 public:
  explicit BusyDisk(const std::filesystem::path& file)
      : file_(file), thread_([this] { Write(); }) {}
  ~BusyDisk() {
    stop_ = true;
    thread_.join();
    std::filesystem::remove(file_);
  }
  // Until it has begun: the first piece is on the disk.
  void AwaitFirst() const { bytes_.wait(0); }
  uint64_t bytes() const { return bytes_; }

 private:
  static constexpr size_t kPieceBytes = size_t{4} << 20;
  static constexpr size_t kFileBytes = size_t{512} << 20;

  void Write() {
    const int fd = open(file_.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    CHECK(fd >= 0);
    const std::string piece(kPieceBytes, 'x');
    for (off_t at = 0; !stop_; at = (at + static_cast<off_t>(kPieceBytes)) % kFileBytes) {
      CHECK(pwrite(fd, piece.data(), piece.size(), at) == static_cast<ssize_t>(piece.size()));
      CHECK(fdatasync(fd) == 0);
      bytes_ += kPieceBytes;
      bytes_.notify_one();
    }
    close(fd);
  }

  const std::filesystem::path file_;
  std::atomic<bool> stop_ = false;
  std::atomic<uint64_t> bytes_ = 0;
  std::thread thread_;
};

int Main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  const bool json = !words.empty() && words.back() == "--json";
  if (json) words.pop_back();
  const double seconds = words.size() > 1 ? std::atof(words[1].c_str()) : 3;
  const int rounds = words.size() > 2 ? std::atoi(words[2].c_str()) : 3;
  if (words.empty() || words.size() > 3 || words[0].starts_with("-") || !(seconds > 0) ||
      rounds < 1) {
    std::fputs("usage: eddy-store-bench DIRECTORY [SECONDS [ROUNDS]] [--json]\n", stderr);
    return 2;
  }
  const std::filesystem::path directory = words[0];
  if (std::filesystem::exists(directory)) {
    fmt::print(stderr, "'{}' exists: name a directory that does not, on the disk to measure\n",
               directory.string());
    return 2;
  }
  std::filesystem::create_directories(directory);
  {
    Clients eddy(directory / "eddy");
    Bare bare(directory / "bare", eddy.RecordBytes());
    const auto sync = [&] { return eddy.Put(Durability::kSync, seconds); };
    const auto os = [&] { return eddy.Put(Durability::kOs, seconds); };
    const std::vector<Line> lines = {
        {"put, sync", "SyncWAL on a thread", sync, [&] { return bare.PutSyncThread(seconds); }},
        {"put, sync", "a batch of 64 synced in the write", sync,
         [&] { return bare.PutSyncInWrite(seconds); }},
        {"put, sync", "64 threads that sync in the write", sync,
         [&] { return bare.PutSyncThreads(seconds); }},
        {"put, os", "get and put", os, [&] { return bare.GetPut(seconds); }},
        {"put, os", "put", os, [&] { return bare.Put(seconds); }},
        {"get, cached", "get", [&] { return eddy.Get(seconds); },
         [&] { return bare.Get(seconds); }},
    };
    std::vector<Cell> eddy_cells(lines.size());
    std::vector<Cell> bare_cells(lines.size());
    for (int round = 0; round < rounds; ++round) {
      for (size_t i = 0; i < lines.size(); ++i) {
        eddy_cells[i].Add(lines[i].eddy());
        bare_cells[i].Add(lines[i].bare());
      }
    }
    Measured busy;
    Histogram turns;
    uint64_t written = 0;
    {
      const BusyDisk disk(directory / "busy");
      disk.AwaitFirst();
      busy = eddy.Put(Durability::kSync, seconds * rounds, &turns);
      written = disk.bytes();
    }

    if (json) {
      fmt::print("{{\"rows\":[");
    } else {
      fmt::print("{:<12} {:<34} {:>10} {:>10} {:>6} {:>8} {:>8} {:>6}\n", "store", "bare", "Eddy/s",
                 "bare/s", "ratio", "Eddy us", "bare us", "ratio");
    }
    for (size_t i = 0; i < lines.size(); ++i) {
      const double ours = Median(eddy_cells[i].per_second);
      const double theirs = Median(bare_cells[i].per_second);
      const double our_us = Median(eddy_cells[i].cpu_us);
      const double their_us = Median(bare_cells[i].cpu_us);
      if (json) {
        fmt::print(
            "{}{{\"op\":\"{}\",\"bare\":\"{}\",\"eddy_per_s\":{:.0f},\"bare_per_s\":{:.0f},"
            "\"ratio\":{:.2f},\"eddy_us\":{:.2f},\"bare_us\":{:.2f},\"cpu_ratio\":{:.2f}}}",
            i == 0 ? "" : ",", lines[i].what, lines[i].bare_does, ours, theirs, ours / theirs,
            our_us, their_us, our_us / their_us);
      } else {
        fmt::print("{:<12} {:<34} {:>10.0f} {:>10.0f} {:>6.2f} {:>8.2f} {:>8.2f} {:>6.2f}\n",
                   lines[i].what, lines[i].bare_does, ours, theirs, ours / theirs, our_us, their_us,
                   our_us / their_us);
      }
    }
    const double mib = static_cast<double>(written) / (1 << 20) / busy.seconds;
    const double puts = static_cast<double>(busy.operations) / busy.seconds;
    if (json) {
      fmt::print(
          "],\"saturated\":{{\"disk_mib_per_s\":{:.1f},\"puts_per_s\":{:.0f},\"turns\":{},"
          "\"turn_p99_us\":{},\"turn_max_us\":{}}}}}\n",
          mib, puts, turns.count(), turns.Quantile(9'900), turns.max());
    } else {
      fmt::print(
          "\nWhile another thread wrote {:.0f} MiB/s to the same disk, synced: {:.0f} puts/s "
          "(sync); "
          "{} turns of the loop,\np99 {:.1f} ms, longest {:.1f} ms\n",
          mib, puts, turns.count(), static_cast<double>(turns.Quantile(9'900)) / 1e3,
          static_cast<double>(turns.max()) / 1e3);
    }
  }
  std::filesystem::remove_all(directory);
  return 0;
}

}  // namespace
}  // namespace eddy::bench

int main(int argc, char** argv) { return eddy::bench::Main(argc, argv); }
