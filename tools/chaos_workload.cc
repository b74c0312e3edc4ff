#include "tools/chaos_workload.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "client/client.h"
#include "sim/value.h"
#include "wire/client_message.h"
#include "wire/context_token.h"

namespace eddy::tools {

namespace {

using std::chrono::milliseconds;

constexpr uint8_t kReplicas = 3;
// Buckets that every cluster has without a word in its configuration: in the one concurrent writes
// become siblings, in the other the last writer wins.
constexpr const char* kSiblingBucket = "chaos";
constexpr const char* kLastWriterBucket = "redis";
// Numbers of operations: who asked in the upper half, and a count below.
constexpr unsigned kNumberBits = 40;
constexpr uint64_t kFinalReader = 1000;

constexpr Duration kTimeout = milliseconds(3000);
constexpr Duration kAttemptTimeout = milliseconds(1000);
constexpr Duration kPollEvery = milliseconds(2);
constexpr size_t kFinalWindow = 64;

client::ClientOptions ClientOptionsOf(const ChaosWorkloadOptions& options) {
  return {.nodes = options.nodes,
          .cluster = options.cluster,
          .software = "eddyctl chaos",
          .timeout = kTimeout,
          .attempt_timeout = kAttemptTimeout,
          .layout_refresh = std::chrono::seconds(3)};
}

Duration Since(ChaosClock::time_point began) {
  return std::chrono::duration_cast<Duration>(ChaosClock::now() - began);
}

bool IsOpen(Code code) { return code == Code::kUnknownOutcome || code == Code::kTimeout; }

// What the reply says, into the operation.
void Note(const ChaosKey& key, const wire::ClientReply& reply, ChaosOperation* operation) {
  using Outcome = ChaosOperation::Outcome;
  operation->primaries = reply.primaries;
  if (reply.error) {
    const bool read = operation->kind == ChaosKind::kGet;
    operation->error = reply.error->code;
    operation->outcome = !read && IsOpen(reply.error->code) ? Outcome::kUnknown : Outcome::kNotDone;
    return;
  }
  operation->outcome = Outcome::kDone;
  // A token that cannot be read tells nothing, and so breaks what it should have told.
  if (auto told = wire::DecodeContextToken(reply.context, key.bucket, key.key)) {
    operation->told = *std::move(told);
  }
  for (const wire::ShownSibling& sibling : reply.siblings) {
    operation->shown.push_back(
        {sibling.dot, sibling.timestamp, sim::OperationOfValue(sibling.value).value_or(0)});
  }
}

}  // namespace

// One thread: a client library, and clients that each do one thing after the other.
class ChaosWorkload::Worker {
 public:
  Worker(ChaosWorkload* workload, uint32_t place, Random random)
      : workload_(workload),
        options_(workload->options_),
        random_(random),
        next_number_((uint64_t{place} + 1) << kNumberBits),
        client_(Client(place)) {
    const uint32_t share = std::max(1U, options_.clients / kThreads);
    sessions_.resize(share);
    pause_max_ =
        Duration(std::chrono::seconds(2)) * (share * kThreads) / std::max(1U, options_.rate);
  }

  void Run() {
    while (!workload_->stopping_) {
      const auto now = ChaosClock::now();
      for (Session& session : sessions_) {
        if (!session.busy && session.next_at <= now) Begin(&session);
      }
      client_.Poll(kPollEvery);
    }
    client_.Drain();
  }

  std::vector<ChaosOperation> operations;

 private:
  struct Session {
    bool busy = false;
    ChaosClock::time_point next_at;
    // What it read a moment ago and is about to replace.
    bool replaces = false;
    uint32_t key = 0;
    std::string context;
    lattice::CausalContext seen;
  };

  client::ClientOptions Client(uint32_t place) const {
    client::ClientOptions options = ClientOptionsOf(options_);
    options.window = 2 * options_.clients;
    options.ring_aware = place % 2 == 0;
    // Each begins with another node.
    std::ranges::rotate(options.nodes, options.nodes.begin() +
                                           static_cast<ptrdiff_t>(place % options.nodes.size()));
    return options;
  }

  uint32_t DrawKey() {
    const uint64_t hot = 2 * uint64_t{options_.hot_keys};
    const uint64_t all = workload_->keys_.size();
    return static_cast<uint32_t>(random_.Chance(1, 2) ? random_.Below(hot)
                                                      : random_.Between(hot, all - 1));
  }

  void Begin(Session* session) {
    wire::ClientRequest request;
    request.quorum.n = kReplicas;
    ChaosOperation operation{.number = ++next_number_, .n = kReplicas, .quorum = 2};
    if (random_.Chance(1, 20)) operation.quorum = 3;
    const bool replaces = std::exchange(session->replaces, false);
    if (replaces) {
      operation.key = session->key;
      operation.kind = random_.Chance(1, 5) ? ChaosKind::kDelete : ChaosKind::kPut;
      operation.seen = std::move(session->seen);
    } else {
      operation.key = DrawKey();
      const bool last_writer = workload_->keys_[operation.key].last_writer;
      operation.kind =
          random_.Chance(last_writer ? 30 : 10, 100) ? ChaosKind::kPut : ChaosKind::kGet;
      if (operation.kind == ChaosKind::kGet && random_.Chance(1, 10)) operation.quorum = 1;
    }
    switch (operation.kind) {
      case ChaosKind::kGet:
        request.quorum.r = operation.quorum;
        request.action = wire::GetAction{};
        break;
      case ChaosKind::kPut:
        request.quorum.w = operation.quorum;
        request.action = wire::PutAction{.value = sim::MakeValue(operation.number, ValueBytes()),
                                         .context = replaces ? session->context : std::string()};
        break;
      case ChaosKind::kDelete:
        request.quorum.w = operation.quorum;
        request.action = wire::DeleteAction{.context = session->context};
        break;
    }
    request.bucket = workload_->keys_[operation.key].bucket;
    request.key = workload_->keys_[operation.key].key;
    operation.began = Since(options_.began);
    session->busy = true;
    client_.Submit(std::move(request), [this, session, operation = std::move(operation)](
                                           wire::ClientReply reply) mutable {
      End(session, std::move(operation), std::move(reply));
    });
  }

  size_t ValueBytes() {
    return random_.Chance(1, 50) ? random_.Between(2000, 20'000)
                                 : random_.Between(sim::kValueBytesMin, 200);
  }

  void End(Session* session, ChaosOperation operation, wire::ClientReply reply) {
    operation.ended = Since(options_.began);
    Note(workload_->keys_[operation.key], reply, &operation);
    Counts& counts = workload_->counts_;
    switch (operation.outcome) {
      case ChaosOperation::Outcome::kDone:
        ++counts.done;
        break;
      case ChaosOperation::Outcome::kNotDone:
        ++counts.not_done;
        break;
      case ChaosOperation::Outcome::kUnknown:
        ++counts.unknown;
        break;
    }
    session->busy = false;
    session->next_at =
        ChaosClock::now() + Duration(random_.Below(static_cast<uint64_t>(pause_max_.count()) + 1));
    // Most of those who have read write what replaces that. With nothing seen a delete would take
    // whatever is there, and nobody could tell what that was.
    if (operation.kind == ChaosKind::kGet && operation.outcome == ChaosOperation::Outcome::kDone &&
        !operation.told.empty() && random_.Chance(2, 3)) {
      session->replaces = true;
      session->key = operation.key;
      session->context = std::move(reply.context);
      session->seen = operation.told;
    }
    operations.push_back(std::move(operation));
  }

  ChaosWorkload* const workload_;
  const ChaosWorkloadOptions& options_;
  Random random_;
  uint64_t next_number_;
  Duration pause_max_{};
  client::Client client_;
  std::vector<Session> sessions_;  // never resized once they run
};

ChaosWorkload::ChaosWorkload(ChaosWorkloadOptions options) : options_(std::move(options)) {
  // The hot ones first.
  for (const auto& [temperature, count] :
       {std::pair{"hot", options_.hot_keys}, {"cold", options_.cold_keys}}) {
    for (uint32_t i = 0; i < count; ++i) {
      const std::string key = fmt::format("{}{}", temperature, i);
      keys_.push_back({kSiblingBucket, key, false});
      keys_.push_back({kLastWriterBucket, key, true});
    }
  }
  Random random(options_.seed);
  for (uint32_t i = 0; i < kThreads; ++i) {
    workers_.push_back(std::make_unique<Worker>(this, i, random.Fork()));
  }
}

ChaosWorkload::~ChaosWorkload() { Stop(); }

void ChaosWorkload::Start() {
  for (const auto& worker : workers_) {
    threads_.emplace_back([&worker = *worker] { worker.Run(); });
  }
}

void ChaosWorkload::Stop() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

std::vector<ChaosOperation> ChaosWorkload::TakeOperations() {
  std::vector<ChaosOperation> all;
  for (const auto& worker : workers_) {
    std::ranges::move(worker->operations, std::back_inserter(all));
    worker->operations.clear();
  }
  return all;
}

std::vector<ChaosOperation> ReadAllThrough(const ChaosWorkloadOptions& options,
                                           const std::vector<ChaosKey>& keys,
                                           const client::Address& node, uint8_t number) {
  std::vector<ChaosOperation> operations;
  client::ClientOptions client_options = ClientOptionsOf(options);
  client_options.nodes = {node};
  client_options.ring_aware = false;
  client_options.window = kFinalWindow;
  client_options.timeout = std::chrono::seconds(10);
  client_options.attempt_timeout = std::chrono::seconds(5);
  client::Client client(std::move(client_options));
  uint64_t next_number = (kFinalReader + number) << kNumberBits;
  for (const uint8_t replicas : {uint8_t{1}, kReplicas}) {
    for (uint32_t key = 0; key < keys.size(); ++key) {
      ChaosOperation operation{.number = ++next_number,
                               .key = key,
                               .final = true,
                               .node = number,
                               .began = Since(options.began),
                               .n = kReplicas,
                               .quorum = replicas};
      client.Submit({.bucket = keys[key].bucket,
                     .key = keys[key].key,
                     .quorum = {.n = kReplicas, .r = replicas},
                     .action = wire::GetAction{}},
                    [&, operation = std::move(operation)](wire::ClientReply reply) mutable {
                      operation.ended = Since(options.began);
                      Note(keys[operation.key], reply, &operation);
                      operations.push_back(std::move(operation));
                    });
    }
  }
  client.Drain();
  return operations;
}

}  // namespace eddy::tools
