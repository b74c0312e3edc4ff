#include "sim/workload.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/core.h>

#include "base/check.h"
#include "sim/value.h"

namespace eddy::sim {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

Duration DrawBetween(Random* random, Duration least, Duration most) {
  return Duration(
      random->Between(static_cast<uint64_t>(least.count()), static_cast<uint64_t>(most.count())));
}

bool SaysUnknown(Code code) { return code == Code::kUnknownOutcome || code == Code::kTimeout; }

}  // namespace

Workload::Workload(World* world, const Plan& plan, const std::vector<SimKey>& keys,
                   Checker* checker, Door* door, Random random)
    : world_(world),
      plan_(plan),
      keys_(keys),
      checker_(checker),
      door_(door),
      random_(random),
      clients_(plan.workload.clients) {}

void Workload::Begin() {
  for (uint32_t client = 0; client < clients_.size(); ++client) ScheduleNext(client);
}

void Workload::OnEvent(const Event& event) {
  switch (event.kind) {
    case Event::Kind::kClient:
      return Wake(static_cast<uint32_t>(event.argument));
    case Event::Kind::kSubmit:
      return Submit(event.argument);
    case Event::Kind::kPatience:
      return OutOfPatience(event.argument);
    default:
      CHECK(false);
  }
}

// --- What a client does next

void Workload::ScheduleNext(uint32_t client) {
  const Duration mean =
      Duration(seconds(1)) * plan_.workload.clients / plan_.workload.operations_per_second;
  const bool at_once = clients_[client].next_write.has_value();
  const Duration think =
      DrawBetween(&random_, Duration{}, at_once ? Duration(milliseconds(2)) : 2 * mean);
  world_->Schedule(think,
                   Event{.kind = Event::Kind::kClient, .node = {}, .peer = {}, .argument = client});
}

void Workload::Wake(uint32_t client) {
  if (clients_[client].operation != 0) {
    BeginAttempt(client);
  } else if (!quiet_) {
    BeginOperation(client);
  }
}

void Workload::BeginOperation(uint32_t client) {
  ClientState& state = clients_[client];
  const KeyIndex key = state.next_write ? *state.next_write : DrawKey();
  bool must_fail = false;
  state.key = key;
  state.request = DrawRequest(client, key, &must_fail);
  state.operation = ++operations_;
  state.request.id = RequestId{client + 1, state.operation};
  state.attempts = 0;
  state.unknown = false;
  state.node = DrawNode();
  ++busy_clients_;
  if (world_->trace.told()) {
    world_->trace.Tell(world_->now, "client {} begins #{} {}", client, state.operation,
                       Describe(state.request));
  }
  checker_->Invoked(state.operation, key, state.request, must_fail);
  BeginAttempt(client);
}

wire::ClientRequest Workload::DrawRequest(uint32_t client, KeyIndex key, bool* must_fail) {
  ClientState& state = clients_[client];
  const WorkloadPlan& plan = plan_.workload;
  wire::ClientRequest request;
  if (state.next_write) {
    state.next_write.reset();
    request.action = state.then == ClientState::Then::kPut
                         ? MakePut(state.contexts[key]).action
                         : wire::DeleteAction{.context = state.contexts[key]};
    state.then = ClientState::Then::kNothing;
  } else {
    const WorkloadPlan::Mix& mix = plan.mix;
    const std::array<uint32_t, 7> weights = {mix.get,      mix.get_then_put, mix.get_then_delete,
                                             mix.put_seen, mix.put_blind,    mix.delete_blind,
                                             mix.bad};
    uint64_t drawn = 0;
    for (const uint32_t weight : weights) drawn += weight;
    drawn = random_.Below(drawn);
    size_t what = 0;
    while (drawn >= weights[what]) drawn -= weights[what++];
    switch (what) {
      case 1:
        state.then = ClientState::Then::kPut;
        break;
      case 2:
        state.then = ClientState::Then::kDelete;
        break;
      case 3:
        request = MakePut(state.contexts[key]);
        break;
      case 4:
        request = MakePut({});
        break;
      case 5:
        request.action = wire::DeleteAction{};
        break;
      case 6:
        *must_fail = true;
        break;
      default:
        break;
    }
  }
  request.bucket = plan_.buckets[keys_[key.value].bucket].name;
  request.key = keys_[key.value].key;
  request.quorum = DrawQuorum(key, request.IsWrite());
  if (!random_.Chance(1, 8)) {
    request.deadline = DrawBetween(&random_, plan.deadline.least, plan.deadline.most);
  }
  if (*must_fail) Spoil(client, key, &request);
  return request;
}

wire::ClientRequest Workload::MakePut(std::string context) {
  const WorkloadPlan& plan = plan_.workload;
  const bool large = random_.Chance(plan.large_percent, 100);
  const auto bytes =
      static_cast<size_t>(large ? random_.Between(1'000, 20'000) : random_.Between(8, 100));
  wire::PutAction put;
  put.value = MakeValue(operations_ + 1, bytes);
  put.context = std::move(context);
  if (random_.Chance(plan.expiring_percent, 100)) {
    const auto now_ms = std::chrono::duration_cast<milliseconds>(world_->now.time_since_epoch());
    put.expires_at = kWallAtStart + now_ms + milliseconds(random_.Between(50, 4'000));
  }
  wire::ClientRequest request;
  request.action = std::move(put);
  return request;
}

KeyIndex Workload::DrawKey() {
  if (random_.Chance(plan_.workload.hot_percent, 100)) {
    // The hottest key of each bucket.
    const uint64_t bucket = random_.Below(plan_.buckets.size());
    return KeyIndex{static_cast<uint32_t>(bucket * plan_.workload.keys_per_bucket)};
  }
  return KeyIndex{static_cast<uint32_t>(random_.Below(keys_.size()))};
}

NodeIndex Workload::DrawNode() {
  return NodeIndex{static_cast<uint8_t>(random_.Below(plan_.nodes))};
}

wire::QuorumOptions Workload::DrawQuorum(KeyIndex key, bool write) {
  wire::QuorumOptions quorum;
  if (!random_.Chance(plan_.workload.own_quorum_percent, 100)) return quorum;
  const auto draw = [&](uint8_t least, uint8_t most) {
    return static_cast<uint8_t>(random_.Between(least, most));
  };
  quorum.sloppy = random_.Chance(1, 2) ? std::optional(random_.Chance(1, 2)) : std::nullopt;
  const uint8_t n_of_bucket = plan_.buckets[keys_[key.value].bucket].properties.n;
  if (random_.Chance(1, 3)) {
    quorum.n = n_of_bucket;
    quorum.r = draw(1, n_of_bucket);
    quorum.w = draw(1, n_of_bucket);
    quorum.pr = draw(0, n_of_bucket);
    quorum.pw = draw(0, n_of_bucket);
    return quorum;
  }
  (write ? quorum.w : quorum.r) = draw(1, n_of_bucket);
  return quorum;
}

void Workload::Spoil(uint32_t client, KeyIndex key, wire::ClientRequest* request) {
  const ClientState& state = clients_[client];
  switch (random_.Below(4)) {
    case 0:
      *request = wire::ClientRequest{.bucket = request->bucket, .key = {}};
      return;
    case 1:
      request->quorum = wire::QuorumOptions{.n = 2, .r = 3};
      return;
    case 2: {
      // A context of another key.
      const auto other = std::ranges::find_if(state.contexts, [&](const auto& kept) {
        return kept.first != key && !kept.second.empty();
      });
      request->quorum = {};
      request->action = wire::DeleteAction{
          .context = other == state.contexts.end() ? std::string("no context") : other->second};
      return;
    }
    default:
      request->quorum = {};
      request->action =
          wire::PutAction{.value = MakeValue(operations_ + 1, 8), .context = std::string(20, '\1')};
      return;
  }
}

// --- Attempts

void Workload::BeginAttempt(uint32_t client) {
  ClientState& state = clients_[client];
  if (state.attempts > 0 && random_.Chance(1, 2)) state.node = DrawNode();
  ++state.attempts;
  checker_->Attempted(state.operation);
  Send(state.operation, client, state.node, state.request);
}

void Workload::Send(uint64_t operation, uint32_t client, NodeIndex node,
                    const wire::ClientRequest& request) {
  const uint64_t ticket = ++tickets_;
  const Duration deadline =
      request.deadline == Duration{} ? plan_.node.deadline_default : request.deadline;
  attempts_.emplace(ticket, Attempt{.operation = operation,
                                    .client = client,
                                    .node = node,
                                    .deadline = deadline,
                                    .request = request});
  const Duration way = DrawBetween(&random_, microseconds(20), microseconds(500));
  world_->Schedule(
      way, Event{.kind = Event::Kind::kSubmit, .node = node, .peer = {}, .argument = ticket});
  const bool impatient = client != kNobody && random_.Chance(plan_.workload.impatient_percent, 100);
  const Duration patience = impatient ? DrawBetween(&random_, deadline / 10, deadline)
                                      : way + deadline + 2 * kAnswerSlack;
  world_->Schedule(
      patience, Event{.kind = Event::Kind::kPatience, .node = {}, .peer = {}, .argument = ticket});
}

void Workload::Submit(uint64_t ticket) {
  Attempt& attempt = attempts_.at(ticket);
  attempt.submitted = true;
  attempt.submitted_at = world_->now;
  attempt.life = door_->LifeOf(attempt.node);
  if (door_->Submit(attempt.node, ticket, std::move(attempt.request))) return;
  const Attempt refused = std::move(attempt);
  attempts_.erase(ticket);
  if (!refused.abandoned) AttemptEnded(refused.client, Outcome::kNotDone);
}

bool Workload::Overdue(const Attempt& attempt) const {
  const auto awake_since = door_->AwakeSince(attempt.node);
  if (!attempt.submitted || !awake_since) return false;
  // By the slowest clock.
  const Duration deadline = attempt.deadline * 1'000'000 / (1'000'000 - plan_.drift_ppm_max);
  return world_->now > std::max(attempt.submitted_at + deadline, *awake_since) + kAnswerSlack;
}

void Workload::OutOfPatience(uint64_t ticket) {
  const auto found = attempts_.find(ticket);
  if (found == attempts_.end()) return;
  Attempt& attempt = found->second;
  if (Overdue(attempt)) {
    return checker_->Fail(fmt::format("n{} has not answered #{} by its deadline of {} ms",
                                      attempt.node.value, attempt.operation,
                                      attempt.deadline.count() / 1'000));
  }
  world_->Schedule(
      attempt.deadline + 2 * kAnswerSlack,
      Event{.kind = Event::Kind::kPatience, .node = {}, .peer = {}, .argument = ticket});
  if (attempt.abandoned) return;
  attempt.abandoned = true;
  checker_->Lost(attempt.operation);
  AttemptEnded(attempt.client, Outcome::kUnknown);
}

void Workload::Answered(NodeIndex at, uint64_t ticket, wire::ClientReply reply) {
  const auto found = attempts_.find(ticket);
  if (found == attempts_.end() || !found->second.submitted || found->second.node != at) {
    return checker_->Fail(fmt::format("n{} answered what it was not asked, or twice", at.value));
  }
  if (Overdue(found->second)) {
    checker_->Fail(fmt::format("n{} answered #{} too late", at.value, found->second.operation));
  }
  const Attempt attempt = std::move(found->second);
  attempts_.erase(found);
  if (attempt.abandoned) return;
  if (lose_replies_ && attempt.client != kNobody && random_.Chance(1, 4)) {
    checker_->Lost(attempt.operation);
    return AttemptEnded(attempt.client, Outcome::kUnknown);
  }
  if (world_->trace.told()) {
    world_->trace.Tell(world_->now, "n{} answers #{} {}", at.value, attempt.operation,
                       Describe(reply));
  }
  checker_->Answered(attempt.operation, reply);
  if (reply.error) {
    const bool unknown = SaysUnknown(reply.error->code);
    return AttemptEnded(attempt.client, unknown ? Outcome::kUnknown : Outcome::kNotDone);
  }
  if (attempt.client != kNobody && !reply.context.empty()) {
    ClientState& state = clients_[attempt.client];
    state.contexts[state.key] = std::move(reply.context);
  }
  AttemptEnded(attempt.client, Outcome::kDone);
}

void Workload::ProcessGone(NodeIndex node, uint64_t life) {
  std::vector<Attempt> gone;
  for (auto at = attempts_.begin(); at != attempts_.end();) {
    Attempt& attempt = at->second;
    if (attempt.node == node && attempt.submitted && attempt.life == life) {
      gone.push_back(std::move(attempt));
      at = attempts_.erase(at);
    } else {
      ++at;
    }
  }
  for (const Attempt& attempt : gone) {
    if (attempt.abandoned) continue;
    checker_->Lost(attempt.operation);
    AttemptEnded(attempt.client, Outcome::kUnknown);
  }
}

void Workload::AttemptEnded(uint32_t client, Outcome outcome) {
  if (client == kNobody) {
    final_read_ = false;
    final_read_done_ = outcome == Outcome::kDone;
    return checker_->Ended(final_operation_);
  }
  ClientState& state = clients_[client];
  state.unknown |= outcome == Outcome::kUnknown;
  const bool again = outcome != Outcome::kDone && state.request.IsWrite() &&
                     state.attempts < plan_.workload.attempts_max && random_.Chance(3, 4);
  if (!again) return OperationEnded(client, outcome);
  const Duration backoff = DrawBetween(&random_, microseconds(100), milliseconds(200));
  world_->Schedule(backoff,
                   Event{.kind = Event::Kind::kClient, .node = {}, .peer = {}, .argument = client});
}

void Workload::OperationEnded(uint32_t client, Outcome outcome) {
  ClientState& state = clients_[client];
  if (outcome == Outcome::kDone) {
    ++done_;
  } else {
    ++(state.unknown ? unknown_ : not_done_);
  }
  checker_->Ended(state.operation);
  state.operation = 0;
  --busy_clients_;
  if (state.then != ClientState::Then::kNothing) {
    if (outcome == Outcome::kDone) {
      state.next_write = state.key;
    } else {
      state.then = ClientState::Then::kNothing;
    }
  }
  ScheduleNext(client);
}

// --- The final reads

void Workload::FinalRead(KeyIndex key, NodeIndex node, uint32_t replicas) {
  CHECK(!final_read_);
  final_read_ = true;
  final_read_done_ = false;
  final_operation_ = ++operations_;
  const auto all = static_cast<uint8_t>(replicas);
  wire::ClientRequest request;
  request.id = RequestId{~uint64_t{0}, final_operation_};
  request.bucket = plan_.buckets[keys_[key.value].bucket].name;
  request.key = keys_[key.value].key;
  request.quorum = wire::QuorumOptions{.r = all, .w = 1, .pr = 0, .pw = 0};
  request.action = wire::GetAction{.all_siblings = true};
  checker_->Invoked(final_operation_, key, request);
  checker_->Attempted(final_operation_);
  Send(final_operation_, kNobody, node, request);
}

}  // namespace eddy::sim
