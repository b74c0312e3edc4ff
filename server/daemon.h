// One node as a process: the loop, the engine, the Node and its doors, and the turn that joins
// them. All that happens in one iteration of the loop is one turn:
//
//   sockets, timers, threads ──▶ Node ──▶ effects ──▶ sends to peers, written first: the other
//                                  ▲        │           replicas work while this one stores
//                                  │        ├──▶ store verbs ─▶ one commit ─▶ (sync thread)
//                                  └────────┘ results
//                                           └──▶ answers to clients, written last
//
// Constructed, started and run on one thread, which is the loop's.
#pragma once

#include <uv.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "node/effects.h"
#include "node/node.h"
#include "ring/layout.h"
#include "server/admin.h"
#include "server/admission.h"
#include "server/backup_keeper.h"
#include "server/clock.h"
#include "server/command_line.h"
#include "server/config.h"
#include "server/fault_table.h"
#include "server/front.h"
#include "server/gossip_door.h"
#include "server/http_door.h"
#include "server/input_age.h"
#include "server/inspector.h"
#include "server/latencies.h"
#include "server/log_sink.h"
#include "server/loop_meter.h"
#include "server/memory_plan.h"
#include "server/metrics.h"
#include "server/native_door.h"
#include "server/peer_transport.h"
#include "server/resp_clients.h"
#include "server/store_runner.h"
#include "server/tcp_listener.h"
#include "server/watchdog.h"
#include "storage/engine.h"

namespace eddy::server {

class Daemon final : private Front, private PeerHandler {
 public:
  // Requests that have been taken get so long to be answered when the process is asked to stop.
  static constexpr Duration kDrainMax = std::chrono::seconds(3);

  struct Problem {
    ExitCode exit;
    std::string text;
  };

  // `config` is complete; `log` outlives the daemon. `levels`: the same, where its level may be
  // changed while the daemon runs. `again`: in the place of one that was to be opened again.
  Daemon(Config config, LogSink* log, LineLog* levels = nullptr, bool again = false);
  ~Daemon() override;
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Opens the data directory and the doors. Nothing on disk is changed before every door is open.
  std::optional<Problem> Start();
  // Serves until SIGTERM or SIGINT; then answers what it has taken, makes everything durable and
  // marks the directory as cleanly stopped. A second signal ends the process at once.
  ExitCode Run();
  // After Run: it has stopped so that the next opening of its directory can mend what has rotted
  // there, and another one is to take its place.
  bool open_again() const { return open_again_; }

 private:
  enum class Stage { kServing, kDraining, kLeaving, kClosed };

  // Front
  void Submit(wire::ClientRequest request, Done done) override;
  void ListKeys(wire::KeyListRequest request, Listed listed) override;
  void Admin(wire::AdminRequest request, Answered answered) override;
  wire::NodeStatus Status() override;
  std::string Metrics() override;
  void ShowMembers(wire::NodeStatus* status) const;
  void AddHints(MetricsPage* page, uint64_t (*figure)(const storage::HintUsage&)) const;
  const ring::Layout& layout() override { return node_->layout(); }
  Now now() override {
    Now now = clock_.Read();
    if (faults_ != nullptr) now.wall += faults_->machine().clock_offset;
    return now;
  }
  // PeerHandler
  void OnPeerUp(NodeId peer) override { node_->PeerUp(now(), peer); }
  void OnPeerDown(NodeId peer) override { node_->PeerDown(now(), peer); }
  void OnPeerMessage(NodeId from, wire::PeerMessage message) override;
  MonotonicTime clock() override { return now().monotonic; }

  std::optional<Problem> ShareOutMemory();
  std::optional<Problem> OpenEngine();
  std::optional<Problem> OpenDoors(const wire::Hello& hello);
  std::unique_ptr<Session> MakeResp(TcpConnection* connection);
  std::optional<Problem> OpenDoor(ListenerOptions options, TcpListener::MakeSession make_session);
  void StartHandles();
  void WritePidFile();
  void StartWatchdog();
  bool Ready(std::string* reason) const;

  // The transport dials by what the node knows of the layouts.
  void FollowLayouts();
  void RunTurn();
  void RunEffects();
  bool CompleteResults();
  // How long what has arrived in this turn may have waited, at most.
  Duration InputWaited();
  void AnswerRefused();
  void Begin(Admission::Request begun);
  void Refuse(RequestId id, Done done, Operation operation, MonotonicTime since, Error error);
  void BeginWaiting();
  void RefuseWaitedTooLong(MonotonicTime now);
  void Answer(node::ClientAnswer answer);
  void Tick();
  // What the node and its engine have found to be damaged: tells people, and has files written
  // anew.
  void WatchDamage();
  // How much room there is; refuses what needs some before there is none.
  void WatchRoom();
  // Keeps the process to its limit, as far as what is free goes.
  void WatchMemory();
  // Lets go of a backup that nobody takes away, or that holds the last room.
  void WatchBackup();
  void BeginStop();

  void OnSignal(int signal);
  void StopStep(MonotonicTime now);
  void ShowSighting(const gossip::Event& sighting);
  void ShowCrowded(const node::Crowded& crowded);
  void CloseHandles();
  ExitCode FinishStop();

  const Config config_;
  MemoryPlan memory_;  // of config_.memory_limit_bytes
  LogSink* const log_;
  LineLog* const levels_;
  LimitedLog limited_log_;
  Random random_;
  TurnClock clock_;
  InputAge input_age_;
  MonotonicTime started_at_;

  uv_loop_t loop_;
  uv_prepare_t prepare_;  // what timers and closed connections caused
  uv_check_t check_;      // what sockets and threads caused
  uv_idle_t idle_;        // keeps the loop from waiting while a session has more to take
  uv_timer_t timer_;
  uv_signal_t signals_[2];
  bool handles_open_ = false;
  bool tick_due_ = false;

  std::unique_ptr<storage::Engine> engine_;
  uint64_t layouts_seen_ = 0;  // of node::Node::layout_changes
  std::unique_ptr<node::Node> node_;
  std::optional<storage::TreeKeeper> trees_;
  std::unique_ptr<StoreRunner> runner_;
  std::unique_ptr<Inspector> inspector_;
  BackupKeeper::Make make_backup_;  // null without files
  std::unique_ptr<BackupKeeper> backups_;
  std::unique_ptr<Inspector> backup_thread_;  // everything of backups_ happens there
  bool backup_watched_ = false;               // and is being looked after
  std::atomic<uint64_t> round_at_ns_{0};      // when the loop last went round; 0: it has not yet
  std::unique_ptr<Watchdog> watchdog_;
  bool arrived_ = false;
  std::unique_ptr<FaultTable> faults_;  // null unless it is to be broken on purpose
  std::unique_ptr<PeerTransport> transport_;
  std::unique_ptr<GossipDoor> gossip_;

  std::optional<Admission> admission_;
  TcpShared clients_;
  std::unique_ptr<NativeDoor> native_;
  std::unique_ptr<HttpDoor> http_;
  RespClients resp_clients_;
  std::vector<std::unique_ptr<TcpListener>> listeners_;
  MonotonicTime times_checked_at_;
  uint64_t disk_free_percent_ = 100;
  bool no_room_ = false;

  // Requests at the node, by ticket.
  struct Ticket {
    Done done;
    Operation operation{};
    MonotonicTime since;
    size_t held_bytes = 0;
  };
  std::vector<Ticket> tickets_;
  std::vector<uint32_t> free_tickets_;
  size_t tickets_out_ = 0;
  // Requests that were not given to the node; answered in this turn.
  struct Refused {
    RequestId id;
    Ticket ticket;
    Error error;
  };
  std::vector<Refused> refused_;
  uint64_t too_late_count_ = 0;
  uint64_t crowded_out_count_ = 0;
  uint64_t memory_returned_count_ = 0;

  Latencies latencies_;
  LoopMeter loop_meter_;

  Stage stage_ = Stage::kServing;
  MonotonicTime stage_since_;
  bool was_ready_ = false;
  const bool again_;
  bool open_again_ = false;
  bool told_of_files_ = false;
  size_t told_ranges_ = 0;  // damaged, as the log was told last

  // Scratch.
  node::Effects effects_;
  std::vector<storage::StoreResult> results_;
};

}  // namespace eddy::server
