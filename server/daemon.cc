#include "server/daemon.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <utility>

#include <fmt/core.h>

#include "base/check.h"
#include "server/locked_engine.h"
#include "server/process_figures.h"
#include "server/resp_session.h"
#include "server/seed.h"
#include "server/version.h"
#include "storage/identity.h"
#include "storage/memory_engine.h"
#include "storage/rocks_engine.h"

namespace eddy::server {

namespace {

constexpr Duration kCheckTimesEvery = std::chrono::seconds(1);
// Of these no machine that is well comes near.
constexpr Duration kLoopHangs = std::chrono::seconds(2);
constexpr Duration kSyncHangs = std::chrono::seconds(10);
// Redis clients may connect long before they ask; the others speak first.
constexpr Duration kHelloMax = std::chrono::seconds(10);
// In a stop, for writes that are answered but still on their way to a slower replica.
constexpr Duration kStragglersMax = std::chrono::milliseconds(500);
// In a stop, for clients to take their last replies.
constexpr Duration kLeaveMax = std::chrono::milliseconds(500);

uint64_t SystemSeed() {
  uint64_t seed = 0;
  CHECK(uv_random(nullptr, nullptr, &seed, sizeof(seed), 0, nullptr) == 0);
  return seed;
}

template <class Handle>
uv_handle_t* Base(Handle* handle) {
  return reinterpret_cast<uv_handle_t*>(handle);
}

Daemon* Self(void* data) { return static_cast<Daemon*>(data); }

}  // namespace

Daemon::Daemon(Config config, LogSink* log, LineLog* levels, bool again)
    : config_(std::move(config)),
      log_(log),
      levels_(levels),
      limited_log_(log),
      random_(SystemSeed()),
      again_(again) {
  CHECK(uv_loop_init(&loop_) == 0);
  CHECK(uv_loop_configure(&loop_, UV_METRICS_IDLE_TIME) == 0);
  clients_.loop = &loop_;
}

Daemon::~Daemon() {
  CloseHandles();
  uv_run(&loop_, UV_RUN_DEFAULT);
  listeners_.clear();
  transport_.reset();
  gossip_.reset();
  runner_.reset();
  CHECK(uv_loop_close(&loop_) == 0);
}

std::optional<Daemon::Problem> Daemon::Start() {
  std::signal(SIGPIPE, SIG_IGN);
  started_at_ = clock();

  if (auto problem = ShareOutMemory()) return problem;
  if (auto problem = OpenEngine()) return problem;

  wire::Hello hello{.cluster = config_.cluster,
                    .software = std::string(kSoftware),
                    .node_name = config_.name,
                    .doors = {.host = config_.host,
                              .native = config_.native,
                              .peer = *config_.peer,
                              .resp = config_.resp,
                              .http = config_.http}};
  if (auto problem = OpenDoors(hello)) return problem;

  auto identity = storage::OpenIdentity(
      engine_.get(), {.cluster = config_.cluster, .name = config_.name}, &random_);
  if (!identity) {
    return Problem{ExitCode::kDataDirectory,
                   fmt::format("data directory {}: {}", config_.data_dir, identity.error().text)};
  }
  unsigned partition_bits = config_.partition_bits;
  if (!identity->layouts.empty()) {
    const auto layouts = ring::LayoutHistory::Decode(identity->layouts);
    if (!layouts) {
      return Problem{ExitCode::kDataDirectory,
                     fmt::format("data directory {}: {}", config_.data_dir, layouts.error().text)};
    }
    partition_bits = layouts->newest().partition_bits();
    const uint64_t trees =
        (sizeof(storage::HashTree) << partition_bits) * config_.buckets.ReplicaCounts().size();
    if (trees > memory_.trees) {
      log_->Log(LogLevel::kWarning,
                fmt::format("the cluster has {} partitions, whose hash trees may take {} MiB "
                            "instead of {}: set partitions to that number, so that memory_limit "
                            "is shared out by it",
                            1U << partition_bits, trees >> 20, memory_.trees >> 20));
    }
  }
  transport_->SetSelf(identity->node);
  native_->SetSelf(identity->node);
  trees_.emplace(storage::TreeKeeper::Options{
      .partition_bits = partition_bits,
      .replicas_of = [this](std::string_view bucket) { return config_.buckets.Find(bucket).n; }});
  runner_ = std::make_unique<StoreRunner>(
      &loop_, engine_.get(), identity->lease, &*trees_,
      storage::HintLedger(config_.hint_bytes_max, identity->hints),
      StoreRunnerOptions{
          .bytes_waiting_max = memory_.peers / 2,
          .record_cache_bytes = config_.engine == EngineKind::kMemory ? 0 : memory_.records,
          .damaged = identity->damaged},
      [this] { arrived_ = true; });
  inspector_ = std::make_unique<Inspector>(&loop_, engine_.get());
  backups_ = std::make_unique<BackupKeeper>(config_.data_dir, std::move(make_backup_));
  backup_thread_ = std::make_unique<Inspector>(&loop_, engine_.get());
  CHECK(backup_thread_->Begin([this](storage::Engine*) { backups_->RemoveLeftovers(); }, [] {}));
  node::NodeOptions options;
  options.deadline_default = config_.deadline;
  options.deadline_max = config_.deadline_max;
  options.operations_max = config_.operations_max;
  options.value_bytes_max = config_.value_bytes_max;
  options.durability = config_.durability;
  options.background.bytes_per_second = config_.background_bytes_per_second;
  options.background.foreground_p99_max = config_.foreground_p99_max;
  options.anti_entropy_period = config_.anti_entropy_period;
  options.tree_age_max = config_.tree_age_max;
  options.scrub_period = config_.scrub_period;
  options.reap_after = config_.reap_after;
  options.membership = {
      .cluster = config_.cluster,
      .founder = config_.seeds.empty() || config_.seeds.front().name == config_.name,
      .replaces = config_.replaces,
      .auto_join = config_.auto_join,
      .partition_bits = partition_bits};
  for (const Seed& seed : config_.seeds) {
    if (seed.name != config_.name) options.membership.seeds.push_back(seed.name);
  }
  ring::Member self{.id = identity->node,
                    .name = config_.name,
                    .zone = config_.zone,
                    .weight = config_.weight,
                    .doors = hello.doors};
  node_ = std::make_unique<node::Node>(options, config_.buckets, std::move(self),
                                       *std::move(identity), random_.Fork());
  FollowLayouts();
  WatchRoom();
  StartHandles();
  StartWatchdog();
  WritePidFile();
  log_->Log(
      LogLevel::kInfo,
      fmt::format("{} started: node {} of cluster '{}', data in {}, doors on {}: native {}, peer "
                  "{}, resp {}, http {}",
                  kSoftware, config_.name, config_.cluster, config_.data_dir, config_.listen,
                  config_.native, *config_.peer, config_.resp, config_.http));
  return std::nullopt;
}

std::optional<Daemon::Problem> Daemon::ShareOutMemory() {
  const auto plan = PlanMemory(NeedsOf(config_));
  if (!plan) return Problem{ExitCode::kConfig, plan.error().text};
  memory_ = *plan;
  admission_.emplace(memory_.requests);
  clients_.memory = &admission_->memory();
  clients_.input_age = &input_age_;
  return std::nullopt;
}

std::optional<Daemon::Problem> Daemon::OpenEngine() {
  if (config_.engine == EngineKind::kMemory) {
    engine_ = std::make_unique<LockedEngine>(std::make_unique<storage::MemoryEngine>());
    return std::nullopt;
  }
  std::error_code failed;
  std::filesystem::create_directories(config_.data_dir, failed);
  auto engine =
      storage::RocksEngine::Open({.path = config_.data_dir, .memory_limit_bytes = memory_.engine});
  if (!engine) return Problem{ExitCode::kDataDirectory, engine.error().text};
  if (!(*engine)->news().empty()) {
    log_->Log(LogLevel::kError, fmt::format("{}: {}", config_.data_dir, (*engine)->news()));
  }
  make_backup_ = [rocks = engine->get()](const std::string& directory) {
    return rocks->Checkpoint(directory);
  };
  engine_ = *std::move(engine);
  return std::nullopt;
}

std::optional<Daemon::Problem> Daemon::OpenDoors(const wire::Hello& hello) {
  if (config_.fault_injection) {
    faults_ = std::make_unique<FaultTable>(random_.Fork());
    log_->Log(
        LogLevel::kWarning,
        "fault injection is on: whoever reaches the native door can cut this node off; start it "
        "without --enable-fault-injection unless it is for tests");
  }
  PeerOptions peers{.hello = hello,
                    .host = config_.listen,
                    .port = *config_.peer,
                    .queues_bytes_max = memory_.peers / 2,
                    .input_age = &input_age_,
                    .faults = faults_.get()};
  // The seeds that come after this one in the list, then those that dial it first.
  const auto own = std::ranges::find(config_.seeds, config_.name, &Seed::name);
  if (own != config_.seeds.end()) {
    peers.seeds.assign(std::next(own), config_.seeds.end());
    peers.seeds_dialled = peers.seeds.size();
    peers.seeds.insert(peers.seeds.end(), config_.seeds.begin(), own);
  } else {
    peers.seeds = config_.seeds;
    peers.seeds_dialled = peers.seeds.size();
  }
  transport_ = std::make_unique<PeerTransport>(
      &loop_, std::move(peers), static_cast<PeerHandler*>(this), log_, random_.Fork());
  if (auto ok = transport_->Listen(); !ok) return Problem{ExitCode::kDoor, ok.error().text};
  gossip_ = std::make_unique<GossipDoor>(
      &loop_, gossip::Address{config_.listen, *config_.peer},
      [this](const gossip::Address& from, std::string_view bytes) {
        node_->ReceivePacket(now(), from, bytes);
      },
      [this] { return clock(); }, faults_.get());
  if (auto ok = gossip_->Open(); !ok) return Problem{ExitCode::kDoor, ok.error().text};

  native_ = std::make_unique<NativeDoor>(
      static_cast<Front*>(this),
      NativeOptions{.hello = hello, .pipeline_max = config_.pipeline_max});
  if (auto problem = OpenDoor(
          {.door = "native",
           .flag = "--native-port",
           .host = config_.listen,
           .port = config_.native,
           .connections_max = config_.connections_max,
           .hello_max = kHelloMax,
           .full_reply = native_->FullReply()},
          [this](TcpConnection* connection) { return native_->MakeSession(connection); })) {
    return problem;
  }
  http_ = std::make_unique<HttpDoor>(static_cast<Front*>(this),
                                     HttpOptions{.value_bytes_max = config_.value_bytes_max});
  if (auto problem =
          OpenDoor({.door = "http",
                    .flag = "--http-port",
                    .host = config_.listen,
                    .port = config_.http,
                    .connections_max = config_.connections_max,
                    .full_reply = HttpDoor::FullReply()},
                   [this](TcpConnection* connection) { return http_->MakeSession(connection); })) {
    return problem;
  }
  return OpenDoor({.door = "resp",
                   .flag = "--resp-port",
                   .host = config_.listen,
                   .port = config_.resp,
                   .connections_max = config_.connections_max,
                   .full_reply = "-ERR max number of clients reached\r\n"},
                  [this](TcpConnection* connection) { return MakeResp(connection); });
}

std::unique_ptr<Session> Daemon::MakeResp(TcpConnection* connection) {
  RespOptions options;
  options.peer_address = connection->peer_address();
  options.local_address = connection->local_address();
  options.replicas = config_.buckets.Find(node::BucketTable::kRedisBucket).n;
  options.clients = &resp_clients_;
  return MakeRespSession(this, connection, std::move(options));
}

std::optional<Daemon::Problem> Daemon::OpenDoor(ListenerOptions options,
                                                TcpListener::MakeSession make_session) {
  if (options.port == 0) return std::nullopt;
  auto listener = std::make_unique<TcpListener>(
      &clients_, std::move(options), std::move(make_session), [this] { return clock(); });
  if (auto ok = listener->Listen(); !ok) return Problem{ExitCode::kDoor, ok.error().text};
  listeners_.push_back(std::move(listener));
  return std::nullopt;
}

void Daemon::StartHandles() {
  handles_open_ = true;
  for (uv_handle_t* handle : {Base(&prepare_), Base(&check_), Base(&idle_), Base(&timer_),
                              Base(&signals_[0]), Base(&signals_[1])}) {
    handle->data = this;
  }
  uv_prepare_init(&loop_, &prepare_);
  uv_prepare_start(&prepare_, [](uv_prepare_t* handle) {
    Daemon* daemon = Self(handle->data);
    daemon->RunTurn();
    const uint64_t now_ns = uv_hrtime();
    daemon->round_at_ns_ = now_ns;
    daemon->loop_meter_.Round(now_ns, uv_metrics_idle_time(&daemon->loop_));
  });
  uv_check_init(&loop_, &check_);
  uv_check_start(&check_, [](uv_check_t* handle) {
    Daemon* daemon = Self(handle->data);
    if (std::exchange(daemon->tick_due_, false)) daemon->Tick();
    daemon->RunTurn();
  });
  uv_idle_init(&loop_, &idle_);
  uv_timer_init(&loop_, &timer_);
  const auto period = static_cast<uint64_t>(node::Node::kTickPeriod / std::chrono::milliseconds(1));
  // Time passes for the node after it has heard what had arrived, so that an answer which waits in
  // a socket is not missed.
  uv_timer_start(
      &timer_, [](uv_timer_t* handle) { Self(handle->data)->tick_due_ = true; }, 0, period);
  for (int i = 0; i < 2; ++i) {
    uv_signal_init(&loop_, &signals_[i]);
    uv_signal_start(
        &signals_[i], [](uv_signal_t* handle, int signal) { Self(handle->data)->OnSignal(signal); },
        i == 0 ? SIGTERM : SIGINT);
  }
}

void Daemon::StartWatchdog() {
  // A timer wakes the loop every few milliseconds, so it goes round even where nothing happens.
  HangJudge loop("the event loop has stood still",
                 "requests, replies and gossip wait. It is in a call that does not return, or has "
                 "no processor: top -H and gdb -p show which",
                 kLoopHangs);
  HangJudge sync(
      "a sync of the write-ahead log has been under way",
      "writes wait for it. Look at the disk (iostat -x 1, dmesg); replace the node if it "
      "is failing",
      kSyncHangs);
  std::vector<Watchdog::Watched> watched;
  watched.push_back({std::move(loop), [this]() -> std::optional<MonotonicTime> {
                       const uint64_t at = round_at_ns_;
                       if (at == 0) return std::nullopt;
                       return MonotonicTime(std::chrono::microseconds(at / 1000));
                     }});
  watched.push_back({std::move(sync), [this] { return runner_->sync_since(); }});
  watchdog_ = std::make_unique<Watchdog>(
      std::move(watched), log_, Watchdog::Options{.now = [] {
        return MonotonicTime(std::chrono::microseconds(uv_hrtime() / 1000));
      }});
}

void Daemon::WritePidFile() {
  if (config_.pid_file.empty()) return;
  const std::string fresh = config_.pid_file + ".new";
  std::ofstream file(fresh);
  file << getpid() << '\n';
  file.close();
  if (!file || rename(fresh.c_str(), config_.pid_file.c_str()) != 0) {
    log_->Log(LogLevel::kWarning,
              fmt::format(
                  "the pid file {} cannot be written; going on without: may this user write there?",
                  config_.pid_file));
  }
}

ExitCode Daemon::Run() {
  uv_run(&loop_, UV_RUN_DEFAULT);
  return FinishStop();
}

void Daemon::FollowLayouts() {
  if (std::exchange(layouts_seen_, node_->layout_changes()) == node_->layout_changes() &&
      layouts_seen_ != 0) {
    return;
  }
  const ring::LayoutHistory* layouts = node_->layouts();
  if (layouts == nullptr) return;
  transport_->SetCluster(layouts->origin(), layouts->newest().members());
}

void Daemon::RunTurn() {
  // Its threads have ended: what comes in the turn that closed everything is not begun.
  if (stage_ == Stage::kClosed) return;
  input_age_.Turn(clock());
  clients_.RunWoken();
  BeginWaiting();
  AnswerRefused();
  if (std::exchange(arrived_, false)) {
    runner_->TakeArrived(&results_);
    CompleteResults();
  }
  do {
    RunEffects();
    transport_->Flush();
    runner_->Commit(&results_);
  } while (CompleteResults());
  FollowLayouts();
  clients_.Flush();
  clock_.NextTurn();
  if (latencies_.any_ended()) {
    // Not the turn's own time, which is that of its beginning.
    latencies_.EndTurn(
        MonotonicTime(std::chrono::duration_cast<Duration>(std::chrono::nanoseconds(uv_hrtime()))));
  }
  if (clients_.woken.empty() && !tick_due_ && !admission_->HasNext()) {
    uv_idle_stop(&idle_);
  } else {
    uv_idle_start(&idle_, [](uv_idle_t*) {});
  }
}

void Daemon::RunEffects() {
  for (;;) {
    node_->TakeEffects(&effects_);
    if (effects_.empty()) return;
    for (const node::Send& send : effects_.sends) transport_->Send(send.to, send.message);
    for (const gossip::SendPacket& packet : effects_.packets) {
      gossip_->Send(packet.to, packet.bytes);
    }
    for (const gossip::Event& sighting : effects_.sightings) ShowSighting(sighting);
    for (const node::Crowded& crowded : effects_.crowded) ShowCrowded(crowded);
    for (node::ClientAnswer& answer : effects_.answers) Answer(std::move(answer));
    runner_->Execute(&effects_.verbs, &results_);
    CompleteResults();
  }
}

bool Daemon::CompleteResults() {
  const bool any = !results_.empty();
  for (storage::StoreResult& result : results_) node_->Complete(now(), std::move(result));
  results_.clear();
  return any;
}

Duration Daemon::InputWaited() {
  const MonotonicTime moment = clock();
  input_age_.Turn(moment);
  return input_age_.Most(moment);
}

void Daemon::OnPeerMessage(NodeId from, wire::PeerMessage message) {
  // Of what others ask for a client, the node does nothing once no time is left.
  if (auto* forward = std::get_if<wire::ForwardRequest>(&message)) {
    forward->request.deadline -= InputWaited();
  }
  node_->Receive(now(), from, std::move(message));
}

void Daemon::WatchMemory() {
  if (ResidentBytes().value_or(0) <= *config_.memory_limit_bytes) return;
  ++memory_returned_count_;
  ReturnFreedMemory();
}

void Daemon::Tick() {
  const Now moment = now();
  node_->Tick(moment);
  transport_->Tick(moment.monotonic);
  gossip_->Tick(moment.monotonic);
  RefuseWaitedTooLong(moment.monotonic);
  if (stage_ != Stage::kServing) StopStep(moment.monotonic);
  WatchDamage();
  if (moment.monotonic - times_checked_at_ >= kCheckTimesEvery) {
    times_checked_at_ = moment.monotonic;
    WatchRoom();
    WatchMemory();
    WatchBackup();
    for (const auto& listener : listeners_) listener->CheckTimes(moment.monotonic);
  }

  std::string reason;
  const bool ready = Ready(&reason);
  if (std::exchange(was_ready_, ready) == ready) return;
  log_->Log(ready ? LogLevel::kInfo : LogLevel::kWarning,
            ready ? "ready" : fmt::format("not ready: {}", reason));
}

bool Daemon::Ready(std::string* reason) const {
  if (stage_ != Stage::kServing) {
    *reason = "stopping";
    return false;
  }
  if (runner_->failure()) {
    *reason = runner_->failure()->text;
    return false;
  }
  if (const auto health = engine_->Health(); health.refuses_writes) {
    *reason = health.refuses_writes->text;
    return false;
  }
  std::string_view why;
  if (node_->Ready(&why)) return true;
  *reason = why;
  return false;
}

void Daemon::OnSignal(int signal) {
  if (std::exchange(open_again_, false)) {
    log_->Log(LogLevel::kInfo, "a signal: not opening again, but ending");
    return;
  }
  if (stage_ != Stage::kServing) {
    log_->Log(LogLevel::kWarning, "a second signal: ending at once");
    _exit(static_cast<int>(ExitCode::kFailed));
  }
  log_->Log(LogLevel::kInfo, fmt::format("{}: answering what was taken, then stopping",
                                         signal == SIGTERM ? "SIGTERM" : "SIGINT"));
  BeginStop();
}

void Daemon::BeginStop() {
  stage_ = Stage::kDraining;
  stage_since_ = clock();
  node_->BeginStop(now());
  for (const auto& listener : listeners_) listener->StopConsuming();
}

void Daemon::StopStep(MonotonicTime now) {
  const Duration elapsed = now - stage_since_;
  if (stage_ == Stage::kDraining) {
    const bool drained = (node_->operations_in_flight() == 0 && admission_->waiting() == 0) ||
                         (tickets_out_ == 0 && elapsed > kStragglersMax) || elapsed > kDrainMax;
    if (!drained) return;
    stage_ = Stage::kLeaving;
    stage_since_ = now;
    transport_->Close();
    for (const auto& listener : listeners_) listener->CloseGently();
    return;
  }
  if (stage_ != Stage::kLeaving) return;
  bool gone = runner_->idle();
  for (const auto& listener : listeners_) {
    listener->CheckTimes(now);
    gone = gone && listener->empty();
  }
  if (!gone && elapsed <= kLeaveMax) return;
  stage_ = Stage::kClosed;
  CloseHandles();
}

void Daemon::CloseHandles() {
  watchdog_.reset();
  for (const auto& listener : listeners_) listener->Close();
  if (transport_ != nullptr) transport_->Close();
  if (gossip_ != nullptr) gossip_->Close();
  if (runner_ != nullptr) runner_->Close();
  if (inspector_ != nullptr) inspector_->Close();
  if (backup_thread_ != nullptr) backup_thread_->Close();
  if (!std::exchange(handles_open_, false)) return;
  for (uv_handle_t* handle : {Base(&prepare_), Base(&check_), Base(&idle_), Base(&timer_),
                              Base(&signals_[0]), Base(&signals_[1])}) {
    uv_close(handle, nullptr);
  }
}

ExitCode Daemon::FinishStop() {
  // The threads have ended; what they brought last still counts.
  runner_->TakeArrived(&results_);
  if (!config_.pid_file.empty()) unlink(config_.pid_file.c_str());
  if (!runner_->idle() || runner_->failure()) {
    log_->Log(LogLevel::kError,
              "stopped before everything was on disk: the next start takes it as "
              "a crash, and nothing that was acknowledged is lost");
    return ExitCode::kFailed;
  }
  auto closed = engine_->Flush();
  if (closed) closed = storage::CloseIdentity(engine_.get(), node_->history());
  if (!closed) {
    log_->Log(LogLevel::kError, fmt::format("the clean stop could not be recorded ({}): the next "
                                            "start takes it as a crash",
                                            closed.error().text));
    return ExitCode::kFailed;
  }
  log_->Log(LogLevel::kInfo, "stopped cleanly");
  return ExitCode::kOk;
}

}  // namespace eddy::server
