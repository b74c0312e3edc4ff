// The way of a client's request through the daemon: not at all where it has come too late, begun
// when there is memory for it (server/admission.h), at the node by its ticket, and its answer.
#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "server/daemon.h"

namespace eddy::server {

void Daemon::AnswerRefused() {
  for (Refused& refused : std::exchange(refused_, {})) {
    latencies_.Ended(refused.ticket.operation, EndingOf(refused.error), refused.ticket.since);
    refused.ticket.done({.id = refused.id, .error = std::move(refused.error)});
  }
}

void Daemon::Submit(wire::ClientRequest request, Done done) {
  if (const Duration waited = InputWaited(); waited > Duration::zero()) {
    const Duration wait =
        request.deadline == Duration::zero() ? Duration(config_.deadline) : request.deadline;
    if (wait <= waited) {
      ++too_late_count_;
      limited_log_.Log(clock(), "too late", LogLevel::kWarning,
                       "this process stood still, and requests that had waited for too long were "
                       "not done: was it paused, or does its machine swap?");
      return Refuse(request.id, std::move(done), OperationOf(request), now().monotonic - waited,
                    Error{Code::kUnavailable,
                          "not done: this node stood still for longer than the request could "
                          "wait; try again"});
    }
    request.deadline = wait - waited;
  }
  const MonotonicTime since = clock();
  const Duration wait =
      request.deadline == Duration::zero() ? Duration(config_.deadline) : request.deadline;
  auto begins = admission_->Admit({std::move(request), std::move(done), since, since + wait});
  if (begins) Begin(*std::move(begins));
}

void Daemon::BeginWaiting() {
  while (auto next = admission_->Next()) {
    // One whose time has just run out is the node's to refuse.
    next->request.deadline =
        std::max<Duration>(next->until - clock(), std::chrono::milliseconds(1));
    Begin(*std::move(next));
  }
}

void Daemon::RefuseWaitedTooLong(MonotonicTime now) {
  for (Admission::Request& waited : admission_->TakeExpired(now)) {
    ++crowded_out_count_;
    limited_log_.Log(now, "no memory", LogLevel::kWarning,
                     fmt::format("clients' requests hold the {} MiB that they may, and more were "
                                 "not done: let clients ask for less at once, raise memory_limit, "
                                 "or add nodes",
                                 memory_.requests >> 20));
    Refuse(waited.request.id, std::move(waited.done), OperationOf(waited.request), waited.since,
           Error{Code::kBusy,
                 "not done: requests hold all the memory that they may here (memory_limit); try "
                 "again, with less at once"});
  }
}

void Daemon::Refuse(RequestId id, Done done, Operation operation, MonotonicTime since,
                    Error error) {
  refused_.push_back({id, {std::move(done), operation, since}, std::move(error)});
}

void Daemon::Begin(Admission::Request begun) {
  if (free_tickets_.empty()) {
    free_tickets_.push_back(static_cast<uint32_t>(tickets_.size()));
    tickets_.emplace_back();
  }
  const uint32_t ticket = free_tickets_.back();
  free_tickets_.pop_back();
  tickets_[ticket] = {std::move(begun.done), OperationOf(begun.request), begun.since,
                      admission_->Began(begun.request)};
  ++tickets_out_;
  node_->Submit(now(), ticket, std::move(begun.request));
}

void Daemon::Answer(node::ClientAnswer answer) {
  const auto ticket = static_cast<uint32_t>(answer.ticket);
  Ticket asked = std::move(tickets_[ticket]);
  free_tickets_.push_back(ticket);
  --tickets_out_;
  admission_->Ended(asked.held_bytes);
  if (asked.operation == Operation::kGet && !answer.reply.error) admission_->Found(answer.reply);
  latencies_.Ended(asked.operation, EndingOf(answer.reply.error), asked.since);
  asked.done(std::move(answer.reply));
}

}  // namespace eddy::server
