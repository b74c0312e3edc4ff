// eddy-floor: a bare quorum store, to measure Eddy against. Three processes hold every key; a put
// is done when two of them have it, a get asks two. One thread with one loop, one RocksDB batch a
// turn, one write a turn and connection, forwards written before the local store works. No
// causality, no siblings, no failure handling, no repair, no membership: what Eddy costs above this
// is the price of those, and of carelessness.
#include <uv.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "bench/floor/connection.h"
#include "bench/floor/store.h"

namespace eddy::bench {

namespace {

constexpr uint32_t kNodes = 3;
constexpr uint8_t kQuorum = 2;

struct FloorOptions {
  uint32_t node = 0;  // of kNodes
  uint16_t port = 0;
  std::array<std::string, kNodes> hosts;
  std::string data_dir;
  bool sync = false;
};

sockaddr_in AddressOf(const std::string& host, uint16_t port) {
  sockaddr_in address{};
  CHECK(uv_ip4_addr(host.c_str(), port, &address) == 0);
  return address;
}

class FloorNode {
 public:
  explicit FloorNode(const FloorOptions& options)
      : options_(options),
        loop_(uv_default_loop()),
        connections_(loop_),
        store_(options.data_dir, options.sync),
        version_(static_cast<uint64_t>(std::time(nullptr)) << 32 | options.node) {
    connections_.on_frame = [this](FloorConnection* from, const FloorFrame& frame) {
      OnFrame(from, frame);
    };
    // A client that leaves is normal; without one of its peers a node is of no use.
    connections_.on_end = [this](FloorConnection* connection) {
      if (std::ranges::find(peers_, connection) == peers_.end()) return;
      std::fputs("eddy-floor: a peer is gone\n", stderr);
      std::_Exit(1);
    };
  }

  // Never returns: a signal ends it.
  void Run() {
    uv_tcp_init(loop_, &listener_);
    listener_.data = this;
    const sockaddr_in own = AddressOf(options_.hosts[options_.node], options_.port);
    CHECK(uv_tcp_bind(&listener_, reinterpret_cast<const sockaddr*>(&own), 0) == 0);
    const int failed = uv_listen(
        reinterpret_cast<uv_stream_t*>(&listener_), 512, [](uv_stream_t* listener, int status) {
          if (status == 0)
            static_cast<FloorNode*>(listener->data)->NewConnection()->Accept(listener);
        });
    if (failed != 0) {
      std::fprintf(stderr, "eddy-floor: cannot listen on %s:%u: %s\n",
                   options_.hosts[options_.node].c_str(), options_.port, uv_strerror(failed));
      std::exit(1);
    }
    // Nodes are started in order, each after the one before it listens.
    for (uint32_t other = 0; other < options_.node; ++other) Dial(other);
    std::puts("listening");
    std::fflush(stdout);
    uv_check_init(loop_, &check_);
    check_.data = this;
    uv_check_start(&check_,
                   [](uv_check_t* check) { static_cast<FloorNode*>(check->data)->EndTurn(); });
    uv_run(loop_, UV_RUN_DEFAULT);
  }

 private:
  struct Operation {
    FloorConnection* client = nullptr;
    uint32_t client_id = 0;
    uint8_t answers = 0;
    uint8_t expected = 0;  // answers; the last one frees the slot
    uint64_t version = 0;  // of a get: what the first answer held
    std::string value;     // likewise
  };
  struct Acknowledgement {
    FloorConnection* to = nullptr;
    uint32_t id = 0;
  };

  FloorConnection* NewConnection() {
    return connections_.all.emplace_back(std::make_unique<FloorConnection>(&connections_)).get();
  }

  void Dial(uint32_t other) {
    FloorConnection* peer = NewConnection();
    const sockaddr_in address = AddressOf(options_.hosts[other], options_.port);
    peer->Connect(reinterpret_cast<const sockaddr*>(&address), [this, peer, other] {
      peer->Append(FloorVerb::kHello, options_.node);
      AddPeer(other, peer);
    });
  }

  bool ready() const { return peers_[0] != nullptr && peers_[1] != nullptr; }

  void AddPeer(uint32_t node, FloorConnection* connection) {
    if (node >= kNodes || node == options_.node) return connection->End();
    peers_[(node + kNodes - options_.node) % kNodes - 1] = connection;
    if (!ready()) return;
    std::puts("ready");
    std::fflush(stdout);
  }

  void OnFrame(FloorConnection* from, const FloorFrame& frame) {
    switch (frame.verb) {
      case FloorVerb::kHello:
        return AddPeer(frame.id, from);
      case FloorVerb::kPut:
        return ready() ? OnPut(from, frame) : from->End();
      case FloorVerb::kGet:
        return ready() ? OnGet(from, frame) : from->End();
      case FloorVerb::kReplicaPut:
        store_.Put(frame.key, frame.rest, {});
        return acknowledgements_.push_back({from, frame.id});
      case FloorVerb::kReplicaGet:
        return from->Append(FloorVerb::kReplicaValue, frame.id, {}, store_.Get(frame.key));
      case FloorVerb::kReplicaDone:
        return OnStored(frame.id);
      case FloorVerb::kReplicaValue:
        return OnValue(frame.id, frame.rest);
      case FloorVerb::kDone:
      case FloorVerb::kValue:
        break;  // clients get these
    }
  }

  void OnPut(FloorConnection* client, const FloorFrame& frame) {
    const uint32_t slot = NewSlot(client, frame.id, kNodes);
    const uint64_t version = ++version_;
    const std::string_view bytes(reinterpret_cast<const char*>(&version), sizeof(version));
    for (FloorConnection* peer : peers_) {
      peer->Append(FloorVerb::kReplicaPut, slot, frame.key, bytes, frame.rest);
    }
    store_.Put(frame.key, bytes, frame.rest);
    stored_here_.push_back(slot);
  }

  void OnGet(FloorConnection* client, const FloorFrame& frame) {
    const uint32_t slot = NewSlot(client, frame.id, kQuorum);
    peers_[++gets_ % peers_.size()]->Append(FloorVerb::kReplicaGet, slot, frame.key);
    OnValue(slot, store_.Get(frame.key));
  }

  void OnStored(uint32_t slot) {
    Operation& operation = operations_[slot];
    if (++operation.answers == kQuorum) {
      operation.client->Append(FloorVerb::kDone, operation.client_id);
    }
    FreeSlotAfterLast(slot);
  }

  void OnValue(uint32_t slot, std::string_view stored) {
    Operation& operation = operations_[slot];
    uint64_t version = 0;
    if (!stored.empty()) {
      std::memcpy(&version, stored.data(), sizeof(version));
      stored.remove_prefix(sizeof(version));
    }
    if (++operation.answers == 1) {
      operation.version = version;
      operation.value.assign(stored);
    } else {
      const std::string_view newer = version > operation.version ? stored : operation.value;
      operation.client->Append(FloorVerb::kValue, operation.client_id, {}, newer);
    }
    FreeSlotAfterLast(slot);
  }

  // Forwards leave before the store works, answers after it.
  void EndTurn() {
    connections_.Flush();
    store_.Commit();
    for (const uint32_t slot : stored_here_) OnStored(slot);
    stored_here_.clear();
    for (const auto& [to, id] : acknowledgements_) to->Append(FloorVerb::kReplicaDone, id);
    acknowledgements_.clear();
    connections_.Flush();
  }

  uint32_t NewSlot(FloorConnection* client, uint32_t client_id, uint8_t expected) {
    if (free_slots_.empty()) {
      free_slots_.push_back(static_cast<uint32_t>(operations_.size()));
      operations_.emplace_back();
    }
    const uint32_t slot = free_slots_.back();
    free_slots_.pop_back();
    Operation& operation = operations_[slot];
    operation.client = client;
    operation.client_id = client_id;
    operation.answers = 0;
    operation.expected = expected;
    return slot;
  }

  void FreeSlotAfterLast(uint32_t slot) {
    if (operations_[slot].answers == operations_[slot].expected) free_slots_.push_back(slot);
  }

  const FloorOptions options_;
  uv_loop_t* const loop_;
  uv_tcp_t listener_;
  uv_check_t check_;
  FloorConnections connections_;
  FloorStore store_;

  std::array<FloorConnection*, kNodes - 1> peers_{};
  std::vector<Operation> operations_;
  std::vector<uint32_t> free_slots_;
  uint64_t version_;  // the last one given
  size_t gets_ = 0;

  // Of this turn: what waits for the commit.
  std::vector<uint32_t> stored_here_;
  std::vector<Acknowledgement> acknowledgements_;
};

int Main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  const std::string_view durability = args.empty() ? std::string_view() : args.back();
  if (args.size() != 7 || args[0].find_first_not_of("123") != std::string::npos ||
      args[0].size() != 1 || (durability != "os" && durability != "sync")) {
    std::fputs(
        "usage: eddy-floor NODE PORT HOST1 HOST2 HOST3 DIRECTORY os|sync\n"
        "One of the three nodes (NODE is 1, 2 or 3) of a bare quorum store: a benchmark, for "
        "trusted networks and\nworthless data only. Start them in order; each prints 'listening' "
        "and then 'ready'. ./dev bench does so.\n",
        stderr);
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  FloorNode node({.node = static_cast<uint32_t>(args[0][0] - '1'),
                  .port = static_cast<uint16_t>(std::atoi(args[1].c_str())),
                  .hosts = {args[2], args[3], args[4]},
                  .data_dir = args[5],
                  .sync = durability == "sync"});
  node.Run();
  return 0;
}

}  // namespace

}  // namespace eddy::bench

int main(int argc, char** argv) { return eddy::bench::Main(argc, argv); }
