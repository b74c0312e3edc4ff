#include "node/operation.h"

namespace eddy::node {

void Answer(OpContext& context, const Origin& origin, wire::ClientReply reply) {
  reply.id = origin.request;
  if (origin.forwarder) {
    context.Send(*origin.forwarder, wire::ForwardReply{.op = origin.id, .reply = std::move(reply)});
  } else {
    context.budget.OnForeground(context.now.monotonic, context.now.monotonic - origin.since);
    context.effects.answers.emplace_back(origin.id, std::move(reply));
  }
}

void AnswerError(OpContext& context, const Origin& origin, Error error, uint8_t needed,
                 uint8_t answered) {
  switch (error.code) {
    case Code::kUnknownOutcome:
      context.counters.Add(Count::kUnknownOutcomes);
      break;
    case Code::kTimeout:
      context.counters.Add(Count::kReadTimeouts);
      break;
    default:
      context.counters.Add(Count::kNotDone);
  }
  wire::ClientReply reply;
  reply.error = std::move(error);
  reply.needed = needed;
  reply.answered = answered;
  Answer(context, origin, std::move(reply));
}

}  // namespace eddy::node
