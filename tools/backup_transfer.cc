#include "tools/backup_transfer.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "client/connection.h"
#include "tools/session.h"

namespace eddy::tools {

namespace {

using client::TimePoint;
using Clock = std::chrono::steady_clock;

// A node may write all its memory to disk before it has a checkpoint; later it only reads.
constexpr auto kBeginMax = std::chrono::minutes(10);
constexpr auto kSilenceMax = std::chrono::seconds(60);
constexpr int kPollMs = 50;

// One node's connection, and what is asked over it.
class Channel {
 public:
  explicit Channel(BackupSource* source) : source_(*source) {}

  [[nodiscard]] Status Connect(const GlobalOptions& global) {
    auto connection = client::Connection::Connect(
        source_.address, {.cluster = global.cluster, .software = "eddyctl " EDDY_VERSION},
        client::TimeIn(global.timeout));
    if (!connection) return std::unexpected(connection.error());
    connection_ = std::move(*connection);
    const wire::Hello& hello = connection_->hello();
    if (hello.node != source_.id) {
      return Fail(Code::kConflict,
                  fmt::format("at its address answers {}, another node", hello.node_name));
    }
    source_.software = hello.software;
    source_.layout = hello.layout;
    return {};
  }

  // Asks what may be asked: `*allowed` is how many bytes still may be.
  [[nodiscard]] Status Ask(int64_t* allowed) {
    while (*allowed > 0) {
      const uint64_t before = source_.fetch->bytes_asked();
      std::optional<wire::AdminRequest> request = source_.fetch->Next();
      if (!request) return {};
      *allowed -= static_cast<int64_t>(source_.fetch->bytes_asked() - before);
      request->id = {.client = 1, .sequence = ++asked_};
      if (Status sent = connection_->SendAdminRequest(*request); !sent) return sent;
      under_way_.push_back(request->id);
      heard_ = std::max(heard_, Clock::now());
    }
    return {};
  }

  [[nodiscard]] Status Advance() {
    connection_->Advance();
    for (;;) {
      auto reply = connection_->Next();
      if (!reply) return std::unexpected(reply.error());
      if (!*reply) break;
      const auto* answer = std::get_if<wire::AdminReply>(&**reply);
      if (answer == nullptr || under_way_.empty() || answer->id != under_way_.front()) {
        return Fail(Code::kCorruption, "answers what was not asked");
      }
      under_way_.pop_front();
      heard_ = Clock::now();
      if (Status taken = source_.fetch->Take(*answer); !taken) return taken;
    }
    const auto limit = source_.fetch->listed() ? Clock::duration(kSilenceMax) : kBeginMax;
    if (!under_way_.empty() && Clock::now() - heard_ > limit) {
      return Fail(Code::kUnavailable, "has stopped answering");
    }
    return {};
  }

  bool done() const { return source_.fetch->done(); }
  pollfd Polled() const {
    return {.fd = connection_->fd(), .events = connection_->events(), .revents = 0};
  }
  Error Named(Error error) const {
    return {error.code, fmt::format("node {}: {}", source_.name, error.text)};
  }

 private:
  BackupSource& source_;
  std::unique_ptr<client::Connection> connection_;
  std::deque<RequestId> under_way_;
  uint64_t asked_ = 0;
  TimePoint heard_;
};

// How many bytes may be asked for by now.
int64_t Allowed(uint64_t rate, Clock::duration elapsed, const std::vector<BackupSource>& sources) {
  if (rate == 0) return INT64_MAX;
  uint64_t asked = 0;
  for (const BackupSource& source : sources) asked += source.fetch->bytes_asked();
  const double bytes = static_cast<double>(rate) * std::chrono::duration<double>(elapsed).count();
  return static_cast<int64_t>(bytes) - static_cast<int64_t>(asked) + 1;
}

}  // namespace

Status TransferBackup(const GlobalOptions& global, uint64_t rate,
                      const std::function<bool()>& progress, std::vector<BackupSource>* sources) {
  std::vector<Channel> channels;
  for (BackupSource& source : *sources) channels.emplace_back(&source);
  for (Channel& channel : channels) {
    if (Status connected = channel.Connect(global); !connected) {
      return std::unexpected(channel.Named(connected.error()));
    }
  }
  const Clock::time_point began = Clock::now();
  for (;;) {
    int64_t allowed = Allowed(rate, Clock::now() - began, *sources);
    std::vector<pollfd> polled;
    for (Channel& channel : channels) {
      if (channel.done()) continue;
      Status went = channel.Ask(&allowed);
      if (went) went = channel.Advance();
      if (!went) return std::unexpected(channel.Named(went.error()));
      polled.push_back(channel.Polled());
    }
    if (!progress()) return Fail(Code::kUnavailable, "interrupted");
    if (polled.empty()) return {};
    poll(polled.data(), polled.size(), kPollMs);
  }
}

void ReleaseBackup(const GlobalOptions& global, const std::string& id,
                   const std::vector<BackupSource>& sources) {
  std::vector<client::Address> holders;
  for (const BackupSource& source : sources) {
    if (source.fetch->begun()) holders.push_back(source.address);
  }
  const nlohmann::ordered_json arguments = {{"id", id}};
  (void)AskAdminOfAll(global, holders, "backup.release", arguments.dump());
}

}  // namespace eddy::tools
