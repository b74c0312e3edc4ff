#include "tools/load_run.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <optional>
#include <random>
#include <utility>

#include <fmt/format.h>

#include "base/random.h"

namespace eddy::tools {

namespace {

constexpr Duration kConnectTimeout = std::chrono::seconds(3);
constexpr Duration kConnectAgainAfter = std::chrono::milliseconds(100);
constexpr Duration kFillQuietMax = std::chrono::seconds(30);
constexpr Duration kSweepEvery = std::chrono::milliseconds(50);
constexpr size_t kReadBytes = 64 * 1024;

MonotonicTime ReadClock() {
  return MonotonicTime(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

// Not from the seed: with the same requests from the same client once more, a run would only ask
// again for what another has done, and nodes answer that without doing it.
uint64_t RandomClient() {
  std::random_device device;
  return uint64_t{device()} << 32 | device() | 1;
}

class Load {
 public:
  Load(const LoadOptions& options, const LoadEvents& events)
      : options_(options),
        events_(events),
        random_(options.seed),
        chooser_(options.mix.distribution(), options.keys, options.seed),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
        connections_(options.connections) {
    // Bytes that do not compress, drawn once: each value is a piece of them.
    Random bytes(options.seed);
    while (values_.size() < options.value_bytes + kValueOffsets) {
      values_.push_back(static_cast<char>('!' + bytes.Below(94)));
    }
  }

  Status ConnectAll() {
    epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &event) != 0) {
      return Fail(Code::kIo, std::strerror(errno));
    }
    now_ = ReadClock();
    for (size_t i = 0; i < connections_.size(); i++) {
      Connection& connection = connections_[i];
      connection.target = i % options_.targets.size();
      connection.slots.resize(options_.window);
      connection.in.resize(kReadBytes);
      Connect(&connection);
    }
    while (up_ < connections_.size()) {
      if (!begun_failed_) return std::unexpected(begun_failed_.error());
      if (events_.stop()) return Fail(Code::kUnavailable, "interrupted before it began");
      if (const Status turned = Turn(now_ + kSweepEvery); !turned) return turned;
    }
    begun_ = true;
    return {};
  }

  Result<LoadResult> Run() {
    const Status ran = options_.fill ? RunFill() : options_.rate == 0 ? RunClosed() : RunOpen();
    if (!ran) return std::unexpected(ran.error());
    events_.measured();
    return tally_.End(now_, std::min(now_, asked_until_));
  }

 private:
  static constexpr size_t kValueOffsets = 1024;
  // In a fill, besides one refusal for each key.
  static constexpr uint64_t kRefusedMax = 10'000;
  static constexpr Duration kAskAgainAfter = std::chrono::milliseconds(100);

  struct Slot {
    MonotonicTime since;
    uint64_t key = 0;
    LoadKind kind = LoadKind::kRead;
    bool busy = false;    // its request is outstanding
    bool free = false;    // it is in free_
    bool writes = false;  // of kReadModifyWrite: the read is done
  };

  struct Connection {
    size_t target = 0;
    std::optional<LoadSocket> socket;
    uint32_t attempts = 0;  // since it was up
    MonotonicTime since;    // when it was up or the attempt began; no socket: when one is to begin
    MonotonicTime heard;    // last, or since when there is something to hear of
    uint32_t outstanding = 0;
    std::unique_ptr<LoadProtocol> protocol;
    std::vector<Slot> slots;
    std::string out;
    bool to_flush = false;
    bool waits_to_write = false;
    std::vector<char> in;  // at its start 8-byte aligned, as all of the heap is
    size_t in_size = 0;

    bool up() const { return socket && socket->state() == LoadSocket::State::kUp; }
  };

  Status RunFill() {
    asked_until_ = MonotonicTime::max();
    tally_.Begin(false, answered_ = now_);
    events_.measuring();
    while (next_key_ < options_.keys || !again_.empty() || outstanding_ > 0) {
      if (events_.stop())
        return Fail(Code::kUnavailable, "interrupted before all keys were written");
      if (now_ - answered_ > kFillQuietMax) {
        return Fail(Code::kUnavailable, "no reply for 30 s: is the cluster alive? eddyctl status");
      }
      if (const Status turned = Turn(now_ + kSweepEvery); !turned) return turned;
    }
    return {};
  }

  Status RunClosed() {
    asking_ = true;
    if (const Status warm = TurnUntil(now_ + options_.warm_up); !warm) return warm;
    tally_.Begin(false, now_);
    events_.measuring();
    asked_until_ = now_ + options_.duration;
    return TurnUntil(asked_until_);
  }

  Status RunOpen() {
    const MonotonicTime begin = now_ + options_.warm_up;
    asked_until_ = begin + options_.duration;
    schedule_ = LoadSchedule(options_.rate, now_, asked_until_);
    tally_.Begin(true, begin);
    asking_ = true;
    if (const Status warm = TurnUntil(begin); !warm) return warm;
    events_.measuring();
    if (const Status measured = TurnUntil(asked_until_); !measured) return measured;
    const MonotonicTime drained = asked_until_ + options_.timeout;
    while ((outstanding_ > 0 || schedule_.next_due()) && now_ < drained && !events_.stop()) {
      if (const Status turned = Turn(drained); !turned) return turned;
    }
    tally_.Unsent(schedule_.Waiting(asked_until_) - schedule_.Waiting(begin));
    for (Connection& connection : connections_) {
      AbandonAll(&connection, LoadErrorClass::kTimeout, "no reply by the end of the measurement");
    }
    return {};
  }

  Status TurnUntil(MonotonicTime end) {
    while (now_ < end && !events_.stop()) {
      if (const Status turned = Turn(end); !turned) return turned;
      if (const auto seconds = tally_.TakeSeconds(now_); !seconds.empty()) events_.seconds(seconds);
    }
    return {};
  }

  // Waits for something to happen, but not beyond `until`, and deals with it.
  Status Turn(MonotonicTime until) {
    if (const Status asked = Dispatch(); !asked) return asked;
    epoll_event events[256];
    const int count = epoll_wait(epoll_.get(), events, std::size(events), WaitMs(until));
    now_ = ReadClock();
    if (count < 0) return errno == EINTR ? Status{} : Fail(Code::kIo, std::strerror(errno));
    for (int i = 0; i < count; i++) {
      if (auto* connection = static_cast<Connection*>(events[i].data.ptr)) {
        if (const Status went_on = GoOn(connection, events[i].events); !went_on) return went_on;
      } else {
        uint64_t expirations = 0;
        armed_.reset();
        if (read(timer_.get(), &expirations, sizeof(expirations)) < 0) continue;
      }
    }
    if (now_ - swept_ >= kSweepEvery) Sweep();
    return {};
  }

  // Woken at least now and then, so that a run ends also when nothing answers.
  int WaitMs(MonotonicTime until) {
    if (asking_ && !free_.empty()) {
      if (const auto due = schedule_.next_due()) {
        if (*due <= now_) return 0;
        // Milliseconds would be too coarse for requests that are due at fixed times.
        if (armed_ != *due) {
          armed_ = due;
          const auto us = due->time_since_epoch().count();
          const itimerspec at{
              .it_interval = {},
              .it_value = {.tv_sec = us / 1'000'000, .tv_nsec = us % 1'000'000 * 1'000}};
          timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &at, nullptr);
        }
      }
    }
    const auto wait = std::clamp(until - now_, Duration{}, kSweepEvery);
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count());
  }

  void Sweep() {
    swept_ = now_;
    for (Connection& connection : connections_) {
      if (!connection.socket) {
        if (now_ >= connection.since) Connect(&connection);
      } else if (!connection.up()) {
        if (now_ - connection.since > kConnectTimeout) {
          ConnectFailed(&connection, {Code::kUnavailable, "a node does not take connections"});
        }
      } else if (connection.outstanding > 0 && now_ - connection.heard > options_.timeout) {
        Lose(&connection, LoadErrorClass::kTimeout,
             fmt::format("no reply within {} ms", options_.timeout.count() / 1000));
      }
    }
  }

  void Connect(Connection* connection) {
    connection->since = now_;
    connection->attempts++;
    auto made =
        LoadSocket::Connect(options_.targets[connection->target], options_.door, options_.cluster);
    if (!made) return ConnectFailed(connection, made.error());
    connection->socket = std::move(*made);
    // Writable: connected, or refused.
    epoll_event event{.events = EPOLLIN | EPOLLOUT, .data = {.ptr = connection}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection->socket->fd(), &event);
  }

  void ConnectFailed(Connection* connection, const Error& error) {
    connection->socket.reset();
    connection->target = (connection->target + 1) % options_.targets.size();
    const bool all_tried = connection->attempts % options_.targets.size() == 0;
    // The sweep goes on with it.
    connection->since = all_tried ? now_ + kConnectAgainAfter : now_;
    if (!begun_ && begun_failed_ && (all_tried || error.code != Code::kUnavailable)) {
      begun_failed_ = std::unexpected(error);
    }
  }

  void Connected(Connection* connection) {
    connection->attempts = 0;
    connection->since = now_;
    connection->out.clear();
    connection->in_size = 0;
    connection->waits_to_write = true;  // as Connect has asked for
    connection->protocol = MakeLoadProtocol({.door = options_.door,
                                             .bucket = options_.bucket,
                                             .quorum = options_.quorum,
                                             .client = RandomClient(),
                                             .window = options_.window});
    up_++;
    for (uint32_t slot = 0; slot < options_.window; slot++) FreeSlot(connection, slot);
    MarkToFlush(connection);
  }

  // What is outstanding is lost, and the connection is made anew, to the next target.
  void Lose(Connection* connection, LoadErrorClass error_class, std::string_view text) {
    AbandonAll(connection, error_class, text);
    up_--;
    connection->socket.reset();
    connection->target = (connection->target + 1) % options_.targets.size();
    // One that did not hold for long is not made anew at once, over and over.
    const bool held = now_ - connection->since >= kConnectAgainAfter;
    connection->since = held ? now_ : now_ + kConnectAgainAfter;
    if (held) Connect(connection);
  }

  void AbandonAll(Connection* connection, LoadErrorClass error_class, std::string_view text) {
    for (Slot& slot : connection->slots) {
      if (slot.busy) Abandon(connection, &slot, error_class, text);
    }
  }

  // A request that comes to nothing.
  void Abandon(Connection* connection, Slot* slot, LoadErrorClass error_class,
               std::string_view text) {
    slot->busy = false;
    connection->outstanding--;
    outstanding_--;
    if (options_.fill && refused_++ < options_.keys + kRefusedMax) {
      again_.push_back(slot->key);
      ask_again_at_ = now_ + kAskAgainAfter;
      return;
    }
    if (slot->kind == LoadKind::kInsert && !options_.fill) chooser_.InsertFailed(slot->key);
    tally_.Failed(error_class, text, slot->since, now_);
  }

  Status GoOn(Connection* connection, uint32_t events) {
    if (!connection->socket) return {};
    if (!connection->up()) {
      if (const Status went_on = connection->socket->GoOn(); !went_on) {
        ConnectFailed(connection, went_on.error());
        return {};
      }
      if (connection->up()) {
        Connected(connection);
      } else {
        // Only the hello is waited for.
        epoll_event event{.events = EPOLLIN, .data = {.ptr = connection}};
        epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection->socket->fd(), &event);
        return {};
      }
    } else if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
      if (const Status read_ok = Read(connection); !read_ok) {
        Lose(connection, LoadErrorClass::kConnection, read_ok.error().text);
      }
    }
    MarkToFlush(connection);
    return Dispatch();
  }

  // An error means that the connection cannot be used any further.
  Status Read(Connection* connection) {
    const ssize_t count =
        recv(connection->socket->fd(), connection->in.data() + connection->in_size,
             connection->in.size() - connection->in_size, 0);
    now_ = ReadClock();
    if (count < 0) {
      if (errno == EAGAIN || errno == EINTR) return {};
      return Fail(Code::kIo, fmt::format("the connection was lost: {}", std::strerror(errno)));
    }
    if (count == 0) return Fail(Code::kIo, "the node closed the connection");
    connection->heard = now_;
    connection->in_size += static_cast<size_t>(count);
    size_t taken = 0;
    for (;;) {
      auto reply = connection->protocol->TakeReply(
          std::string_view(connection->in.data() + taken, connection->in_size - taken));
      if (!reply) return std::unexpected(reply.error());
      if (!*reply) break;
      taken += (*reply)->size;
      if (const Status took = Take(connection, std::move(**reply)); !took) return took;
    }
    // Native frames are multiples of 8 bytes, so what is left stays aligned.
    std::memmove(connection->in.data(), connection->in.data() + taken, connection->in_size - taken);
    connection->in_size -= taken;
    if (connection->in.size() - connection->in_size < kReadBytes / 2) {
      connection->in.resize(connection->in.size() * 2);
    }
    return {};
  }

  Status Take(Connection* connection, LoadReply reply) {
    if (reply.slot >= options_.window || !connection->slots[reply.slot].busy) {
      return Fail(Code::kCorruption, "a reply to nothing that was asked");
    }
    Slot& slot = connection->slots[reply.slot];
    if (reply.error) {
      Abandon(connection, &slot, LoadErrorClassOf(reply.error->code), reply.error->text);
      FreeSlot(connection, reply.slot);
      return {};
    }
    answered_ = now_;
    if (slot.kind == LoadKind::kReadModifyWrite && !slot.writes) {
      slot.writes = true;
      return Append(connection, {.slot = reply.slot,
                                 .verb = LoadVerb::kSet,
                                 .key = KeyOf(slot.key, &key_),
                                 .value = DrawValue(),
                                 .context = reply.context});
    }
    slot.busy = false;
    connection->outstanding--;
    outstanding_--;
    if (slot.kind == LoadKind::kInsert && !options_.fill) chooser_.Inserted(slot.key);
    const bool reads = slot.kind == LoadKind::kRead || slot.kind == LoadKind::kScan;
    tally_.Done(slot.kind, reads && reply.absent, slot.since, now_);
    FreeSlot(connection, reply.slot);
    return {};
  }

  void FreeSlot(Connection* connection, uint32_t slot) {
    if (std::exchange(connection->slots[slot].free, true)) return;
    free_.emplace_back(connection, slot);
  }

  // Sends what may be sent now, as far as there are free slots.
  Status Dispatch() {
    while (!free_.empty()) {
      const auto [connection, index] = free_.front();
      Slot& slot = connection->slots[index];
      if (connection->up()) {
        const std::optional<MonotonicTime> since = TakeTurn();
        if (!since) break;
        slot.since = *since;
        slot.writes = false;
        if (const Status asked = Ask(connection, index); !asked) return asked;
      }
      slot.free = false;
      free_.pop_front();
    }
    std::swap(to_flush_, flushing_);
    for (Connection* connection : flushing_) {
      connection->to_flush = false;
      if (!connection->up()) continue;
      if (const Status sent = Flush(connection); !sent) {
        Lose(connection, LoadErrorClass::kConnection, sent.error().text);
      }
    }
    flushing_.clear();
    return {};
  }

  // Whether a request may be sent now, and since when it counts.
  std::optional<MonotonicTime> TakeTurn() {
    if (!begun_) return std::nullopt;
    if (!options_.fill) return asking_ ? schedule_.Take(now_) : std::nullopt;
    // A fill is to end with every key written: what a busy node refuses waits a moment.
    const bool again = !again_.empty() && now_ >= ask_again_at_;
    return again || next_key_ < options_.keys ? std::optional(now_) : std::nullopt;
  }

  Status Ask(Connection* connection, uint32_t index) {
    Slot& slot = connection->slots[index];
    LoadRequest request{.slot = index};
    slot.kind = options_.fill ? LoadKind::kInsert : options_.mix.Draw(&random_);
    slot.key = NextKey(slot.kind);
    request.key = KeyOf(slot.key, &key_);
    if (slot.kind == LoadKind::kUpdate || slot.kind == LoadKind::kInsert) {
      request.verb = LoadVerb::kSet;
      request.value = DrawValue();
    } else if (slot.kind == LoadKind::kScan) {
      request.verb = LoadVerb::kGetMany;
      const uint64_t count =
          std::min(random_.Between(1, kScanKeysMax), chooser_.present() - slot.key);
      scanned_.resize(count);
      for (uint64_t i = 0; i < count; i++) scanned_[i].assign(KeyOf(slot.key + i, &key_));
      request.keys = scanned_;
    }
    slot.busy = true;
    outstanding_++;
    if (connection->outstanding++ == 0) connection->heard = now_;
    if (!options_.fill) tally_.Sent(slot.since, now_);
    return Append(connection, request);
  }

  Status Append(Connection* connection, const LoadRequest& request) {
    MarkToFlush(connection);
    return connection->protocol->AppendRequest(request, &connection->out);
  }

  uint64_t NextKey(LoadKind kind) {
    if (!options_.fill) return kind == LoadKind::kInsert ? chooser_.Insert() : chooser_.Choose();
    if (again_.empty() || now_ < ask_again_at_) return next_key_++;
    const uint64_t number = again_.back();
    again_.pop_back();
    return number;
  }

  std::string_view DrawValue() {
    return std::string_view(values_).substr(random_.Below(kValueOffsets), options_.value_bytes);
  }

  // 16 bytes, spread over the ring by their hash as any key is.
  static std::string_view KeyOf(uint64_t number, char (*key)[16]) {
    std::memcpy(*key, "key:000000000000", 16);
    for (size_t i = 15; number > 0 && i > 3; number /= 10) {
      (*key)[i--] = static_cast<char>('0' + number % 10);
    }
    return {*key, 16};
  }

  void MarkToFlush(Connection* connection) {
    if (!std::exchange(connection->to_flush, true)) to_flush_.push_back(connection);
  }

  Status Flush(Connection* connection) {
    const int fd = connection->socket->fd();
    if (!connection->out.empty()) {
      const ssize_t sent = send(fd, connection->out.data(), connection->out.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        return Fail(Code::kIo, fmt::format("the connection was lost: {}", std::strerror(errno)));
      }
      if (sent > 0) connection->out.erase(0, static_cast<size_t>(sent));
    }
    if (connection->waits_to_write == connection->out.empty()) {
      connection->waits_to_write = !connection->out.empty();
      epoll_event event{
          .events = EPOLLIN | (connection->waits_to_write ? uint32_t{EPOLLOUT} : uint32_t{0}),
          .data = {.ptr = connection}};
      epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
    }
    return {};
  }

  const LoadOptions& options_;
  const LoadEvents& events_;
  Random random_;
  KeyChooser chooser_;
  Descriptor epoll_;
  Descriptor timer_;
  std::string values_;
  // Scratch.
  char key_[16];
  std::vector<std::string> scanned_;
  std::vector<Connection*> flushing_;

  std::vector<Connection> connections_;
  size_t up_ = 0;                                      // of connections_
  bool begun_ = false;                                 // all were up
  Status begun_failed_;                                // why they cannot be
  std::deque<std::pair<Connection*, uint32_t>> free_;  // slots without a request
  std::vector<Connection*> to_flush_;
  uint64_t outstanding_ = 0;  // requests without a reply
  // Of a fill: the keys that were refused, and when they are asked for again.
  uint64_t next_key_ = 0;
  uint64_t refused_ = 0;
  std::vector<uint64_t> again_;
  MonotonicTime ask_again_at_;

  MonotonicTime now_;
  MonotonicTime swept_;
  MonotonicTime answered_;              // last
  std::optional<MonotonicTime> armed_;  // when the timer goes off
  bool asking_ = false;                 // by the schedule
  MonotonicTime asked_until_;
  LoadSchedule schedule_;
  LoadTally tally_;
};

}  // namespace

Result<LoadResult> RunLoad(const LoadOptions& options, const LoadEvents& events) {
  Load load(options, events);
  if (const Status connected = load.ConnectAll(); !connected) {
    return std::unexpected(connected.error());
  }
  return load.Run();
}

}  // namespace eddy::tools
