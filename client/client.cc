#include "client/client.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/random.h"
#include "client/connection.h"
#include "client/node_pool.h"
#include "ring/token.h"

namespace eddy::client {

namespace {

uint64_t Seed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

// What a request will do on another node, or later, that it did not do here.
bool IsWorthRetrying(Code code) {
  switch (code) {
    case Code::kUnavailable:
    case Code::kUnknownOutcome:
    case Code::kBusy:
    case Code::kTimeout:
    case Code::kCorruption:
    case Code::kIo:
    case Code::kConflict:
      return true;
    case Code::kInvalidArgument:
    case Code::kTooLarge:
    case Code::kWrongCluster:
    case Code::kUnsupported:
      return false;
  }
  return false;
}

size_t BytesOf(const wire::ClientRequest& request) {
  const auto* put = std::get_if<wire::PutAction>(&request.action);
  const auto* restore = std::get_if<wire::RestoreAction>(&request.action);
  return request.bucket.size() + request.key.size() + (put == nullptr ? 0 : put->value.size()) +
         (restore == nullptr ? 0 : restore->record.size());
}

}  // namespace

class Client::Core {
 public:
  explicit Core(ClientOptions options);

  void Submit(wire::ClientRequest request, Done done);
  void Poll(Duration wait);
  size_t in_flight() const { return operations_.size() + finished_.size(); }
  const ClientOptions& options() const { return options_; }
  const NodePool& pool() const { return pool_; }

 private:
  struct Operation {
    wire::ClientRequest request;
    Done done;
    ring::Token token;
    size_t bytes = 0;
    TimePoint deadline;

    // The attempt under way, or when to make the next.
    std::optional<NodeIndex> node;
    TimePoint attempt_deadline;
    TimePoint retry_at;

    int attempts = 0;  // that failed
    std::set<NodeIndex> tried;
    // The coordinator that may have written, and would know the request again.
    std::optional<NodeIndex> coordinator;
    bool maybe_stored = false;
    wire::ClientReply last;  // of the last attempt, with its error
  };
  using Operations = std::map<RequestId, Operation>;
  struct Finished {
    Done done;
    wire::ClientReply reply;
  };

  RequestId NextId() { return {client_, ++sequence_}; }
  bool WindowFull() const;
  void CallBack();

  // Sends what waits and is due.
  void Dispatch(TimePoint now);
  void Send(Operations::iterator at, TimePoint now);
  std::optional<NodeIndex> ChooseFor(const Operation& operation, TimePoint now) const;
  void OnReply(NodeIndex node, wire::ClientReply reply, TimePoint now);
  void OnFailure(NodeIndex node, const Error& error, bool was_ready, TimePoint now);
  // An attempt came to nothing: the next one, or the end.
  void Retry(Operations::iterator at, TimePoint now);
  void GiveUp(Operations::iterator at);
  void Finish(Operations::iterator at, wire::ClientReply reply);
  // Ends the operations whose time is up, and gives up on nodes that fell silent.
  void Expire(TimePoint now);
  Duration Backoff(int attempts);

  const ClientOptions options_;
  Random random_;
  const uint64_t client_;  // our half of the request ids
  uint64_t sequence_ = 0;
  NodePool pool_;

  Operations operations_;
  size_t operation_bytes_ = 0;
  // No operation has anything due before.
  TimePoint next_due_ = TimePoint::max();
  std::vector<Finished> finished_;
  bool calling_back_ = false;
};

Client::Core::Core(ClientOptions options)
    : options_(std::move(options)),
      random_(Seed()),
      client_(random_.Next() | 1),
      pool_(options_, NextId()) {}

// ---- Taking in and giving out

bool Client::Core::WindowFull() const {
  return operations_.size() >= std::max<size_t>(options_.window, 1) ||
         operation_bytes_ >= options_.window_bytes;
}

void Client::Core::Submit(wire::ClientRequest request, Done done) {
  while (!calling_back_ && WindowFull()) Poll(std::chrono::hours(1));

  if (request.id.IsNone()) request.id = NextId();
  const wire::QuorumOptions& defaults = options_.quorum;
  wire::QuorumOptions& quorum = request.quorum;
  if (!quorum.n) quorum.n = defaults.n;
  if (!quorum.r) quorum.r = defaults.r;
  if (!quorum.w) quorum.w = defaults.w;
  if (!quorum.pr) quorum.pr = defaults.pr;
  if (!quorum.pw) quorum.pw = defaults.pw;

  const auto refuse = [&](Error error) {
    finished_.push_back({std::move(done), {.id = request.id, .error = std::move(error)}});
  };
  if (eddy::Status ok = wire::CheckRequest(request); !ok) return refuse(ok.error());
  if (options_.nodes.empty()) return refuse(pool_.WhyNobody());
  if (operations_.contains(request.id)) {
    return refuse({Code::kInvalidArgument, "a request with this id is under way"});
  }
  if (operations_.size() >= std::max<size_t>(options_.window, 1)) {
    return refuse({Code::kBusy, "nothing done: the client's window is full"});
  }
  const TimePoint now = std::chrono::steady_clock::now();
  Operation& operation = operations_[request.id];
  operation.token = ring::TokenOf(request.bucket, request.key);
  operation.bytes = BytesOf(request);
  operation.deadline =
      now + (request.deadline == Duration::zero() ? options_.timeout : request.deadline);
  operation.retry_at = now;
  operation.last.id = request.id;
  operation.request = std::move(request);
  operation.done = std::move(done);
  operation_bytes_ += operation.bytes;
  next_due_ = std::min(next_due_, now);
}

void Client::Core::Poll(Duration wait) {
  CHECK(!calling_back_);
  TimePoint now = std::chrono::steady_clock::now();
  // Longer waits are as good as for ever, and would overflow.
  const TimePoint until = now + std::clamp<Duration>(wait, {}, std::chrono::hours(1));
  Dispatch(now);
  pool_.Poll(finished_.empty() ? std::min(until, next_due_) : now,
             {.on_reply =
                  [&](NodeIndex node, wire::ClientReply reply) {
                    OnReply(node, std::move(reply), std::chrono::steady_clock::now());
                  },
              .on_failure =
                  [&](NodeIndex node, const Error& error, bool was_ready) {
                    OnFailure(node, error, was_ready, std::chrono::steady_clock::now());
                  }});
  now = std::chrono::steady_clock::now();
  if (next_due_ <= now) Expire(now);
  CallBack();
}

void Client::Core::CallBack() {
  std::vector<Finished> finished = std::exchange(finished_, {});
  calling_back_ = true;
  for (Finished& each : finished) each.done(std::move(each.reply));
  calling_back_ = false;
}

// ---- Attempts

std::optional<NodeIndex> Client::Core::ChooseFor(const Operation& operation, TimePoint now) const {
  if (operation.coordinator && pool_.Usable(*operation.coordinator, now)) {
    return operation.coordinator;
  }
  const auto fresh = pool_.Choose(operation.token, operation.tried, now);
  return fresh ? fresh : pool_.Choose(operation.token, {}, now);
}

void Client::Core::Dispatch(TimePoint now) {
  if (next_due_ > now) return;
  next_due_ = TimePoint::max();
  for (auto at = operations_.begin(); at != operations_.end();) {
    const auto next = std::next(at);
    if (!at->second.node && at->second.retry_at <= now) {
      Send(at, now);
    } else {
      next_due_ =
          std::min(next_due_, at->second.node ? at->second.attempt_deadline : at->second.retry_at);
    }
    at = next;
  }
}

void Client::Core::Send(Operations::iterator at, TimePoint now) {
  Operation& operation = at->second;
  while (const auto node = ChooseFor(operation, now)) {
    const auto connection = pool_.ConnectionTo(*node, now);
    // It is down now, and will not be chosen again.
    if (!connection) continue;
    operation.attempt_deadline = std::min(operation.deadline, now + options_.attempt_timeout);
    // The node answers a little before we stop waiting, and can then say how far it came.
    operation.request.deadline =
        std::max(Duration(1),
                 std::chrono::duration_cast<Duration>(operation.attempt_deadline - now) * 9 / 10);
    const eddy::Status sent = (*connection)->Send(operation.request);
    if (sent) {
      operation.node = node;
      next_due_ = std::min(next_due_, operation.attempt_deadline);
    } else {
      // Only for want of room, since the request was checked: soon again.
      operation.retry_at = now + options_.backoff_min;
      next_due_ = std::min(next_due_, operation.retry_at);
    }
    return;
  }
  operation.last.error = pool_.WhyNobody();
  ++operation.attempts;
  Retry(at, now);
}

void Client::Core::OnReply(NodeIndex node, wire::ClientReply reply, TimePoint now) {
  const auto at = operations_.find(reply.id);
  // Late: of an attempt that was given up.
  if (at == operations_.end() || at->second.node != node) return;
  Operation& operation = at->second;
  if (!reply.error) return Finish(at, std::move(reply));
  const Code code = reply.error->code;
  operation.last = std::move(reply);
  operation.node.reset();
  if (!IsWorthRetrying(code)) return GiveUp(at);
  operation.coordinator.reset();
  if (code == Code::kUnknownOutcome) {
    operation.maybe_stored = true;
    operation.coordinator = node;
  }
  operation.tried.insert(node);
  ++operation.attempts;
  operation.retry_at = now + Backoff(operation.attempts);
  Retry(at, now);
}

void Client::Core::OnFailure(NodeIndex node, const Error& error, bool was_ready, TimePoint now) {
  for (auto at = operations_.begin(); at != operations_.end();) {
    const auto next = std::next(at);
    Operation& operation = at->second;
    if (operation.node == node) {
      operation.node.reset();
      operation.last = {.id = operation.request.id, .error = error};
      operation.tried.insert(node);
      if (was_ready) {
        operation.maybe_stored |= operation.request.IsWrite();
        ++operation.attempts;
      }
      // Another node may do it at once.
      operation.retry_at = now;
      Retry(at, now);
    }
    at = next;
  }
}

void Client::Core::Retry(Operations::iterator at, TimePoint now) {
  Operation& operation = at->second;
  if (operation.attempts >= options_.attempts_max) return GiveUp(at);
  if (!pool_.Choose(operation.token, operation.tried, now)) {
    // Everybody had a turn: the next round, after a pause.
    operation.tried.clear();
    operation.retry_at = std::max(operation.retry_at, now + Backoff(operation.attempts));
  }
  if (operation.retry_at >= operation.deadline) return GiveUp(at);
  next_due_ = std::min(next_due_, operation.retry_at);
}

void Client::Core::GiveUp(Operations::iterator at) {
  Operation& operation = at->second;
  std::optional<Error>& error = operation.last.error;
  if (!error) error = Error{Code::kBusy, "nothing done: too much was under way before it"};
  if (operation.maybe_stored && error->code != Code::kUnknownOutcome) {
    error = Error{Code::kUnknownOutcome, "the write may be stored; " + error->text};
  }
  wire::ClientReply reply = std::move(operation.last);
  Finish(at, std::move(reply));
}

void Client::Core::Finish(Operations::iterator at, wire::ClientReply reply) {
  operation_bytes_ -= at->second.bytes;
  finished_.push_back({std::move(at->second.done), std::move(reply)});
  operations_.erase(at);
}

void Client::Core::Expire(TimePoint now) {
  std::set<NodeIndex> silent;
  for (auto at = operations_.begin(); at != operations_.end();) {
    const auto next = std::next(at);
    Operation& operation = at->second;
    if (operation.node && operation.attempt_deadline <= now) {
      const bool sent = pool_.Ready(*operation.node);
      if (operation.attempt_deadline < operation.deadline) {
        silent.insert(*operation.node);
      } else {
        const bool write = operation.request.IsWrite();
        operation.maybe_stored |= sent && write;
        operation.last.error = Error{write ? Code::kUnavailable : Code::kTimeout,
                                     fmt::format("{} gave no answer by the deadline",
                                                 ToString(pool_.addresses()[*operation.node]))};
        GiveUp(at);
      }
    } else if (operation.deadline <= now) {
      GiveUp(at);
    }
    at = next;
  }
  for (const NodeIndex node : silent) {
    const Error error{Code::kTimeout,
                      fmt::format("{} fell silent", ToString(pool_.addresses()[node]))};
    const bool was_ready = pool_.Ready(node);
    pool_.Fail(node, error, now);
    OnFailure(node, error, was_ready, now);
  }
}

Duration Client::Core::Backoff(int attempts) {
  const int doublings = std::clamp(attempts - 1, 0, 20);
  const auto pause = static_cast<uint64_t>(
      std::min(options_.backoff_max, options_.backoff_min * (1 << doublings)).count());
  // Between half and all of it, so that many clients do not come back at once.
  return Duration(static_cast<int64_t>(random_.Between(pause / 2, pause)));
}

// ---- Client

Client::Client(ClientOptions options) : core_(std::make_unique<Core>(std::move(options))) {}
Client::~Client() = default;

void Client::Submit(wire::ClientRequest request, Done done) {
  core_->Submit(std::move(request), std::move(done));
}
size_t Client::in_flight() const { return core_->in_flight(); }
void Client::Poll(Duration wait) { core_->Poll(wait); }
void Client::Drain() {
  while (in_flight() > 0) Poll(std::chrono::hours(1));
}
const ring::Layout* Client::layout() const { return core_->pool().layout(); }

wire::ClientReply Client::Execute(wire::ClientRequest request) {
  std::optional<wire::ClientReply> reply;
  Submit(std::move(request), [&](wire::ClientReply answer) { reply = std::move(answer); });
  while (!reply) Poll(std::chrono::hours(1));
  return *std::move(reply);
}

namespace {

Result<wire::ClientReply> DoneOrError(wire::ClientReply reply) {
  if (reply.error) return std::unexpected(*std::move(reply.error));
  return reply;
}

}  // namespace

Result<wire::ClientReply> Client::Get(std::string bucket, std::string key) {
  return DoneOrError(Execute({.bucket = std::move(bucket), .key = std::move(key)}));
}

Result<wire::ClientReply> Client::Put(std::string bucket, std::string key, std::string value,
                                      std::string context) {
  return DoneOrError(Execute(
      {.bucket = std::move(bucket),
       .key = std::move(key),
       .action = wire::PutAction{.value = std::move(value), .context = std::move(context)}}));
}

Result<wire::ClientReply> Client::Delete(std::string bucket, std::string key, std::string context) {
  return DoneOrError(Execute({.bucket = std::move(bucket),
                              .key = std::move(key),
                              .action = wire::DeleteAction{.context = std::move(context)}}));
}

Result<wire::NodeStatus> Client::Status(const Address& address) {
  const ClientOptions& options = core_->options();
  const TimePoint deadline = TimeIn(std::min(options.timeout, options.attempt_timeout));
  auto connection =
      Connection::Connect(address, {.cluster = options.cluster, .software = options.software},
                          std::min(deadline, TimeIn(options.connect_timeout)));
  if (!connection) return std::unexpected(connection.error());
  if (eddy::Status sent = (*connection)->SendStatusRequest({1, 1}); !sent) {
    return std::unexpected(sent.error());
  }
  auto reply = (*connection)->Receive(deadline);
  if (!reply) return std::unexpected(reply.error());
  if (auto* answer = std::get_if<StatusAnswer>(&*reply)) return std::move(answer->status);
  return Fail(Code::kCorruption, ToString(address) + ": a reply to a question not asked");
}

Result<wire::NodeStatus> Client::Status() {
  Result<wire::NodeStatus> last = Fail(Code::kInvalidArgument, "no node to talk to; give one");
  for (const Address& address : core_->pool().addresses()) {
    last = Status(address);
    if (last) return last;
  }
  return last;
}

}  // namespace eddy::client
