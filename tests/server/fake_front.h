// A node that a test plays: keeps what doors submit until the test answers.
#pragma once

#include <deque>
#include <string>
#include <utility>

#include "base/check.h"
#include "server/front.h"
#include "tests/server/members.h"

namespace eddy::server {

class FakeFront final : public Front {
 public:
  FakeFront() : layout_(LayoutOf({Seed{"n1", "127.0.0.1", 7401, ""}})) {}

  void Submit(wire::ClientRequest request, Done done) override {
    waiting.emplace_back(std::move(request), std::move(done));
  }
  void ListKeys(wire::KeyListRequest request, Listed listed) override {
    listing.emplace_back(std::move(request), std::move(listed));
  }
  void Admin(wire::AdminRequest request, Answered answered) override {
    answered(
        {.id = request.id, .error = {}, .result = request.call + "(" + request.arguments + ")"});
  }
  wire::NodeStatus Status() override {
    return {.cluster = "test",
            .name = "n1",
            .ready = ready,
            .reason = ready ? "" : "waiting for the test"};
  }
  std::string Metrics() override { return "eddy_fake 1\n"; }
  const ring::Layout& layout() override { return layout_; }
  Now now() override { return {}; }

  // Answers the oldest with one sibling that holds `value`.
  void Answer(std::string value) {
    wire::ClientReply reply{.needed = 2, .answered = 2};
    reply.siblings.push_back({.dot = {.actor = {1, 1}, .counter = 1}, .value = std::move(value)});
    Reply(std::move(reply));
  }
  void Reply(wire::ClientReply reply) {
    CHECK(!waiting.empty());
    auto [request, done] = std::move(waiting.front());
    waiting.pop_front();
    reply.id = request.id;
    done(std::move(reply));
  }

  bool ready = true;
  std::deque<std::pair<wire::ClientRequest, Done>> waiting;
  std::deque<std::pair<wire::KeyListRequest, Listed>> listing;

 private:
  const ring::Layout layout_;
};

}  // namespace eddy::server
