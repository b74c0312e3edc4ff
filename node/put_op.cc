#include "node/put_op.h"

#include <algorithm>

#include <fmt/core.h>

#include "storage/record_codec.h"

namespace eddy::node {

PutOp::PutOp(Coordination coordination) : coordination_(std::move(coordination)) {}

bool PutOp::BeginPut(OpContext& context, storage::PutVerb verb, std::string shown_context) {
  context.counters.Add(Count::kPuts);
  shown_context_ = std::move(shown_context);
  return Begin(context, storage::StoreVerb{.action = std::move(verb)});
}

bool PutOp::BeginDelete(OpContext& context, storage::DeleteVerb verb) {
  context.counters.Add(Count::kDeletes);
  return Begin(context, storage::StoreVerb{.action = std::move(verb)});
}

bool PutOp::BeginAgain(OpContext& context, lattice::Dot dot) {
  again_ = dot;
  return Begin(context, storage::StoreVerb{.action = storage::ReadVerb{}});
}

bool PutOp::Begin(OpContext& context, storage::StoreVerb verb) {
  const auto reachable = std::ranges::count_if(coordination_.placement.replicas, [&](PeerIndex m) {
    return m == kSelf || context.peers.Reachable(m);
  });
  if (reachable < coordination_.quorum.w) {
    return NotDone(
        context, Error{Code::kUnavailable,
                       fmt::format("w = {} replicas are needed, {} of {} can be reached; "
                                   "start the others or ask for a smaller w",
                                   needed(), reachable, coordination_.placement.replicas.size())});
  }
  verb.id = coordination_.op;
  verb.key = coordination_.key;
  verb.durability = coordination_.durability;
  states_[PlaceOf(kSelf)] = Replica::kAsked;
  context.effects.verbs.push_back(std::move(verb));
  return false;
}

bool PutOp::NotDone(OpContext& context, Error error) {
  if (again_) {
    outcome_ = Outcome::kUnknown;
    error.code = Code::kUnknownOutcome;
    error.text =
        "the write may be stored from before, and could not be completed now: " + error.text;
  } else {
    outcome_ = Outcome::kNotDone;
    error.text = "nothing written: " + error.text;
  }
  AnswerAll(context, error);
  return true;
}

bool PutOp::OnStore(OpContext& context, storage::StoreResult result) {
  if (!result.record) {
    if (!replicated_) {
      Error error = std::move(result.record.error());
      const bool as_it_is = error.code == Code::kTooLarge || error.code == Code::kBusy;
      if (!as_it_is) error.code = Code::kUnavailable;
      return NotDone(context, std::move(error));
    }
    return Settle(context, PlaceOf(kSelf), Replica::kFailed);
  }
  if (result.stage == storage::Stage::kDurable) {
    return Settle(context, PlaceOf(kSelf), Replica::kAcked);
  }
  if (again_) {
    const auto record = storage::DecodeRecord(*result.record);
    if (!record || !record->context().Covers(*again_)) {
      return NotDone(context, Error{Code::kUnavailable, "this replica did not keep it"});
    }
    // Nothing changes here, but the result says when what is stored is durable.
    context.effects.verbs.push_back(
        storage::StoreVerb{.id = coordination_.op,
                           .key = coordination_.key,
                           .durability = coordination_.durability,
                           .action = storage::JoinVerb{*result.record}});
  }
  Replicate(context, *result.record);
  return Progress(context);
}

void PutOp::Replicate(OpContext& context, const std::string& record) {
  replicated_ = true;
  sent_at_ = context.now.monotonic;
  for (size_t place = 0; place < coordination_.placement.replicas.size(); ++place) {
    const PeerIndex member = coordination_.placement.replicas[place];
    if (member == kSelf) continue;
    if (!context.peers.Reachable(member)) {
      states_[place] = Replica::kFailed;
      continue;
    }
    states_[place] = Replica::kAsked;
    context.Send(member,
                 wire::WriteRequest{.op = coordination_.op,
                                    .key = coordination_.key,
                                    .record = record,
                                    .durability = static_cast<uint8_t>(coordination_.durability),
                                    .budget = context.Left(coordination_.deadline)});
  }
}

bool PutOp::OnWriteReply(OpContext& context, PeerIndex from, const wire::WriteReply& reply) {
  const size_t place = PlaceOf(from);
  if (place == coordination_.placement.replicas.size() || states_[place] != Replica::kAsked)
    return false;
  context.peers.Answered(from, context.now.monotonic - sent_at_);
  return Settle(context, place, reply.error ? Replica::kFailed : Replica::kAcked);
}

bool PutOp::OnPeerDown(OpContext& context, PeerIndex peer) {
  const size_t place = PlaceOf(peer);
  if (place == coordination_.placement.replicas.size() || states_[place] != Replica::kAsked)
    return false;
  return Settle(context, place, Replica::kFailed);
}

bool PutOp::OnTick(OpContext& context) {
  if (context.now.monotonic < coordination_.deadline) return false;
  for (size_t place = 0; place < coordination_.placement.replicas.size(); ++place) {
    const PeerIndex member = coordination_.placement.replicas[place];
    if (states_[place] == Replica::kAsked && member != kSelf) {
      context.peers.LeftUnanswered(member);
    }
  }
  if (outcome_ == Outcome::kOpen) {
    outcome_ = Outcome::kUnknown;
    AnswerAll(context,
              Error{Code::kUnknownOutcome,
                    fmt::format("the deadline passed with {} of w = {} replicas durable; the write "
                                "may be stored: read it, or retry with the same request id",
                                acked_, needed())});
  }
  return true;
}

size_t PutOp::PlaceOf(PeerIndex member) const {
  return static_cast<size_t>(std::ranges::find(coordination_.placement.replicas, member) -
                             coordination_.placement.replicas.begin());
}

bool PutOp::Settle(OpContext& context, size_t place, Replica state) {
  states_[place] = state;
  if (state == Replica::kAcked) ++acked_;
  return Progress(context);
}

bool PutOp::Progress(OpContext& context) {
  const auto asked = std::ranges::count(
      std::span(states_).first(coordination_.placement.replicas.size()), Replica::kAsked);
  if (outcome_ == Outcome::kOpen && acked_ >= needed()) {
    outcome_ = Outcome::kDone;
    AnswerAll(context, std::nullopt);
  } else if (outcome_ == Outcome::kOpen && replicated_ && acked_ + asked < needed()) {
    outcome_ = Outcome::kUnknown;
    AnswerAll(context, Error{Code::kUnknownOutcome,
                             fmt::format("{} of w = {} replicas are durable and no other can be "
                                         "reached; the write may be stored: read it, or retry with "
                                         "the same request id",
                                         acked_, needed())});
  }
  return outcome_ != Outcome::kOpen && asked == 0;
}

void PutOp::AnswerAll(OpContext& context, const std::optional<Error>& error) {
  const auto answer = [&](const Origin& origin) {
    if (error) {
      AnswerError(context, origin, *error, needed(), acked_);
      return;
    }
    wire::ClientReply reply;
    reply.needed = needed();
    reply.answered = acked_;
    reply.context = shown_context_;
    Answer(context, origin, std::move(reply));
  };
  answer(coordination_.origin);
  std::ranges::for_each(more_origins_, answer);
  more_origins_.clear();
}

}  // namespace eddy::node
