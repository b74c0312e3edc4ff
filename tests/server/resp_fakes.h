// What a RESP session stands between: a node that completes what it is asked in any order its
// tester likes, and a socket that is fed by hand.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "ring/layout.h"
#include "server/front.h"
#include "server/resp_session.h"
#include "server/session.h"

namespace eddy::server {

// `count` members called n1, n2, ... on 127.0.0.k, who own the partitions in turn.
ring::Layout FakeLayout(size_t count, unsigned partition_bits = 4);

// A node that holds one value a key, and is asked by one connection only. A request takes effect
// some steps after it was submitted, and is answered some steps after that; writes to one key take
// effect in their order, as the coordinator promises, and nothing else has an order.
class FakeFront final : public Front {
 public:
  explicit FakeFront(uint64_t seed) : random_(seed), layout_(FakeLayout(3)) {}

  void Submit(wire::ClientRequest request, Done done) override;
  // No Redis command lists keys by way of the front.
  void ListKeys(wire::KeyListRequest, Listed) override { CHECK(false); }
  void Admin(wire::AdminRequest, Answered) override { CHECK(false); }
  wire::NodeStatus Status() override;
  std::string Metrics() override { return {}; }
  const ring::Layout& layout() override { return layout_; }
  Now now() override { return now_; }

  // Brings one of the requests one step on; false when there are none.
  bool Step();
  void Drain() {
    while (Step()) {
    }
  }

  void Advance(std::chrono::milliseconds time);
  // Answers the next requests so, one each, instead of doing them.
  void AnswerNext(wire::ClientReply reply) { scripted_.push_back(std::move(reply)); }
  void set_ready(bool ready) { ready_ = ready; }
  void set_reachable(size_t member, bool reachable);

  const std::vector<wire::ClientRequest>& requests() const { return requests_; }
  size_t pending() const { return pending_.size(); }
  size_t pending_max() const { return pending_max_; }
  // Updates whose context was not that of the value they replaced.
  size_t stale_contexts() const { return stale_contexts_; }

 private:
  struct Pending {
    wire::ClientRequest request;
    Done done;
    std::optional<wire::ClientReply> reply;  // once it has taken effect
  };
  struct Held {
    uint64_t version = 0;
    std::optional<wire::ShownSibling> value;
  };

  wire::ClientReply Perform(const wire::ClientRequest& request);
  bool IsBlocked(size_t index) const;

  Random random_;
  ring::Layout layout_;
  std::set<size_t> unreachable_;
  Now now_{.monotonic = {}, .wall = WallTime(std::chrono::milliseconds(1'700'000'000'000))};
  bool ready_ = true;
  std::map<std::pair<std::string, std::string>, Held> held_;
  std::deque<Pending> pending_;
  std::deque<wire::ClientReply> scripted_;
  std::vector<wire::ClientRequest> requests_;
  size_t pending_max_ = 0;
  size_t stale_contexts_ = 0;
};

// A connection: bytes in, bytes out.
class FakeConnection final : public Outlet {
 public:
  explicit FakeConnection(Front* front, RespOptions options = {})
      : session_(MakeRespSession(front, this, std::move(options))) {}

  std::string* out() override { return &out_; }
  void CloseAfterFlush() override { closed_ = true; }
  void Wake() override { woken_ = true; }
  bool crowded() const override { return memory_is_short; }
  void Hold(size_t bytes) override { held = bytes; }

  void Receive(std::string_view bytes) {
    input_ += bytes;
    woken_ = true;
  }
  // One turn of the loop: consumes if the session asked for it, and sends what came of it.
  void TurnOnce() {
    if (std::exchange(woken_, false) && !closed_) input_.erase(0, session_->Consume(input_));
    sent_ += std::exchange(out_, {});
  }
  // Turns until the session asks for no more.
  void Turn() {
    do {
      TurnOnce();
    } while (woken_ && !closed_);
  }
  void Leave() { session_.reset(); }
  const Session& session() const { return *session_; }

  // What was sent since the last call.
  std::string TakeSent() { return std::exchange(sent_, {}); }
  const std::string& input() const { return input_; }
  bool closed() const { return closed_; }
  void Rest() { session_->Rest(); }

  bool memory_is_short = false;
  size_t held = 0;  // as the session says

 private:
  std::string out_;
  std::string sent_;
  std::string input_;
  bool closed_ = false;
  bool woken_ = false;
  std::unique_ptr<Session> session_;
};

// A command as clients send it.
std::string RespArray(const std::vector<std::string>& words);

}  // namespace eddy::server
