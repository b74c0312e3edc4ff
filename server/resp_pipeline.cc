#include "server/resp_pipeline.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/hash.h"
#include "server/resp_error.h"

namespace eddy::server {

namespace {

// What a place that was emptied may keep, so that the steady state allocates nothing and yet no
// connection hoards what one large reply took.
constexpr size_t kKeptBytesMax = 1024;

size_t BytesOf(const wire::ClientReply& reply) {
  size_t bytes = reply.context.size();
  for (const wire::ShownSibling& sibling : reply.siblings) bytes += sibling.value.size();
  return bytes;
}

size_t BytesOf(const wire::ClientRequest& request) {
  const auto* put = std::get_if<wire::PutAction>(&request.action);
  return request.key.size() + (put == nullptr ? 0 : put->value.size());
}

}  // namespace

const wire::ShownSibling* ShownValue(const wire::ClientReply& reply, WallTime now) {
  if (reply.siblings.empty() || reply.siblings.front().expires_at <= now) return nullptr;
  return &reply.siblings.front();
}

RespPipeline::RespPipeline(Front* front, Outlet* outlet, const RespPipelineLimits& limits)
    : front_(front),
      outlet_(outlet),
      limits_(limits),
      anchor_(std::make_shared<RespPipeline*>(this)),
      places_(1) {}

RespPipeline::~RespPipeline() { *anchor_ = nullptr; }

bool RespPipeline::HasRoom() const {
  return !ending_ && !closed_ && end_place_ - first_place_ < limits_.commands_max &&
         operations_open_ < limits_.commands_max && held_bytes_ < limits_.held_bytes_max &&
         !(Awaits() && outlet_->crowded());
}

void RespPipeline::Rest() {
  if (Awaits() || operations_open_ > 0) return;
  std::vector<Place>(1).swap(places_);
  std::vector<Operation>().swap(operations_);
  free_ = kNone;
  lanes_.reset();
}

// --- Commands

RespPipeline::Place& RespPipeline::PushPlace() {
  if (end_place_ - first_place_ == places_.size()) {
    std::vector<Place> larger(2 * places_.size());
    for (uint64_t number = first_place_; number < end_place_; ++number) {
      larger[number & (larger.size() - 1)] = std::move(PlaceAt(number));
    }
    places_ = std::move(larger);
  }
  Place& place = PlaceAt(end_place_++);
  place.version = version_;
  return place;
}

RespWriter RespPipeline::Answer() {
  std::string* out = first_place_ == end_place_ && !closed_ ? outlet_->out() : &PushPlace().bytes;
  return RespWriter(out, version_);
}

void RespPipeline::Run(RespOperation operation, RespRender render) {
  Open(RespGather::kOne, 1, render);
  Add(std::move(operation));
}

void RespPipeline::Open(RespGather gather, size_t operations, RespRender render) {
  CHECK(operations > 0);
  Place& place = PushPlace();
  place.gather = gather;
  place.render = render;
  place.operations = 0;
  place.open = static_cast<uint32_t>(operations);
  if (gather == RespGather::kValues) place.values.resize(operations);
}

void RespPipeline::Add(RespOperation operation) {
  const uint64_t number = end_place_ - 1;
  Place& place = PlaceAt(number);
  const size_t bytes = BytesOf(operation.request);
  place.held_bytes += bytes;
  held_bytes_ += bytes;

  const uint32_t index = NewOperation();
  Operation& added = operations_[index];
  added.place = number;
  added.part = place.operations++;
  added.lane = static_cast<uint16_t>(Hash64(operation.request.key) % kLanes);
  added.writes = operation.request.IsWrite();
  added.access = operation.decide ? Access::kExclusive
                 : added.writes   ? Access::kWrite
                                  : Access::kRead;
  added.request = std::move(operation.request);
  added.decide = std::move(operation.decide);
  EnterLane(index);
}

void RespPipeline::AnswerReplicas() {
  PushPlace().tells_replicas = true;
  Flush();
}

void RespPipeline::AnswerAndClose(std::string bytes) {
  ending_ = true;
  Place& place = PushPlace();
  place.bytes = std::move(bytes);
  place.closes = true;
  Flush();
}

void RespPipeline::Close() {
  closed_ = true;
  outlet_->CloseAfterFlush();
}

// --- Operations

uint32_t RespPipeline::NewOperation() {
  ++operations_open_;
  if (free_ == kNone) {
    operations_.emplace_back();
    return static_cast<uint32_t>(operations_.size() - 1);
  }
  return std::exchange(free_, operations_[free_].next);
}

void RespPipeline::Append(Queue* queue, uint32_t index) {
  operations_[index].next = kNone;
  if (queue->first == kNone) {
    queue->first = index;
  } else {
    operations_[queue->last].next = index;
  }
  queue->last = index;
}

uint32_t RespPipeline::PopFirst(Queue* queue) {
  return std::exchange(queue->first, operations_[queue->first].next);
}

bool RespPipeline::MayEnter(const Lane& lane, Access access) const {
  return lane.entered == 0 || (lane.access == access && access != Access::kExclusive);
}

void RespPipeline::EnterLane(uint32_t index) {
  if (lanes_ == nullptr) lanes_ = std::make_unique<Lanes>();
  Lane& lane = (*lanes_)[operations_[index].lane];
  const Access access = operations_[index].access;
  if (lane.waiting.first != kNone || !MayEnter(lane, access)) return Append(&lane.waiting, index);
  ++lane.entered;
  lane.access = access;
  Start(index);
}

void RespPipeline::LeaveLane(uint16_t number) {
  Lane& lane = (*lanes_)[number];
  --lane.entered;
  while (lane.waiting.first != kNone && MayEnter(lane, operations_[lane.waiting.first].access)) {
    const uint32_t index = PopFirst(&lane.waiting);
    ++lane.entered;
    lane.access = operations_[index].access;
    Start(index);
  }
}

void RespPipeline::Start(uint32_t index) {
  if (operations_submitted_ < limits_.operations_max) {
    Submit(index);
  } else {
    Append(&ready_, index);
  }
}

void RespPipeline::Submit(uint32_t index) {
  ++operations_submitted_;
  Operation& operation = operations_[index];
  // The key is needed again for the write that follows.
  wire::ClientRequest request = operation.decide ? operation.request : std::move(operation.request);
  front_->Submit(std::move(request), [anchor = anchor_, index](wire::ClientReply reply) {
    if (RespPipeline* pipeline = *anchor) pipeline->OnReply(index, std::move(reply));
  });
}

void RespPipeline::OnReply(uint32_t index, wire::ClientReply reply) {
  --operations_submitted_;
  if (closed_) return;
  if (operations_[index].decide && !reply.error && Decide(index, &reply)) return Submit(index);
  End(index, std::move(reply));
  while (ready_.first != kNone && operations_submitted_ < limits_.operations_max) {
    Submit(PopFirst(&ready_));
  }
  const bool open = Flush();
  outlet_->Hold(memory_bytes());
  if (open) outlet_->Wake();
}

bool RespPipeline::Decide(uint32_t index, wire::ClientReply* reply) {
  Operation& operation = operations_[index];
  Place& place = PlaceAt(operation.place);
  const WallTime now = front_->now().wall;
  wire::ShownSibling* found =
      ShownValue(*reply, now) == nullptr ? nullptr : &reply->siblings.front();
  RespWriter writer(&place.bytes, place.version);
  RespChange change = std::exchange(operation.decide, nullptr)(found, now, &writer);
  reply->siblings.clear();
  if (change.kind == RespChange::Kind::kNone) return false;
  ++place.count;
  operation.writes = true;
  if (change.kind == RespChange::Kind::kPut) {
    operation.request.action = wire::PutAction{.value = std::move(change.value),
                                               .context = std::move(reply->context),
                                               .expires_at = change.expires_at};
  } else {
    operation.request.action = wire::DeleteAction{.context = std::move(reply->context)};
  }
  return true;
}

void RespPipeline::End(uint32_t index, wire::ClientReply reply) {
  Operation& operation = operations_[index];
  operation.decide = nullptr;
  Place& place = PlaceAt(operation.place);
  --place.open;
  if (operation.writes) {
    place.answered = std::min(place.answered.value_or(UINT8_MAX), reply.answered);
  }
  size_t bytes = 0;
  if (reply.error) {
    Fail(&place, reply);
  } else if (place.gather == RespGather::kOne) {
    bytes = BytesOf(reply);
    place.reply = std::move(reply);
  } else if (!operation.writes && ShownValue(reply, front_->now().wall) != nullptr) {
    ++place.count;
    if (place.gather == RespGather::kValues) {
      bytes = BytesOf(reply);
      place.values[operation.part] = std::move(reply.siblings.front().value);
    }
  }
  place.held_bytes += bytes;
  held_bytes_ += bytes;

  const uint16_t lane = operation.lane;
  operation.next = std::exchange(free_, index);
  --operations_open_;
  LeaveLane(lane);
  if (operations_open_ == 0 && operations_.size() > limits_.commands_max) {
    std::vector<Operation>().swap(operations_);
    free_ = kNone;
  }
}

void RespPipeline::Fail(Place* place, const wire::ClientReply& reply) {
  ++place->failed;
  const bool unknown = reply.error->code == Code::kUnknownOutcome;
  if (!place->error.empty() && (place->unknown || !unknown)) return;
  place->unknown = unknown;
  const bool starting = reply.error->code == Code::kUnavailable && !front_->Status().ready;
  place->error = RespErrorText(reply, starting);
}

// --- Replies

void RespPipeline::RenderError(const Place& place, RespWriter* writer) {
  if (place.operations == 1) return writer->Error(place.error);
  writer->Error(fmt::format("{}; so it went for {} of {} keys, the others are done", place.error,
                            place.failed, place.operations));
}

void RespPipeline::Render(Place* place) {
  RespWriter writer(outlet_->out(), place->version);
  if (place->answered) last_answered_ = *place->answered;
  if (place->tells_replicas) return writer.Integer(std::max<int>(last_answered_, 1) - 1);
  if (place->failed > 0) return RenderError(*place, &writer);
  if (place->render != nullptr) return place->render(place->reply, front_->now().wall, &writer);
  switch (place->gather) {
    case RespGather::kOne:
      outlet_->out()->append(place->bytes);
      break;
    case RespGather::kValues:
      writer.Array(place->values.size());
      for (const auto& value : place->values) {
        if (value) {
          writer.Bulk(*value);
        } else {
          writer.Null();
        }
      }
      break;
    case RespGather::kCount:
      writer.Integer(place->count);
      break;
    case RespGather::kAll:
      writer.Simple("OK");
      break;
  }
}

bool RespPipeline::Flush() {
  while (!closed_ && first_place_ < end_place_ && PlaceAt(first_place_).open == 0) {
    Place& place = PlaceAt(first_place_++);
    Render(&place);
    const bool closes = place.closes;
    held_bytes_ -= place.held_bytes;
    std::string bytes = std::move(place.bytes);
    place = Place{};
    if (bytes.capacity() <= kKeptBytesMax) {
      bytes.clear();
      place.bytes = std::move(bytes);
    }
    if (closes) Close();
  }
  return !closed_;
}

}  // namespace eddy::server
