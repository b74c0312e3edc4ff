// The native protocol's server side: a hello each way, then requests, pipelined, answered in the
// order in which they are done. Bytes that are no message of ours get a refusal frame, and the
// connection closes. Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "server/front.h"
#include "server/session.h"
#include "wire/codec.h"
#include "wire/frame.h"
#include "wire/hello.h"

namespace eddy::server {

struct NativeOptions {
  wire::Hello hello;  // what this node says of itself
  size_t pipeline_max = 1024;
  // Requests of one connection that have been taken while others of it were in flight: their
  // values are in memory until they are done.
  size_t pipeline_bytes_max = 32 * 1024 * 1024;
};

class NativeSession;

// What the sessions of the door share. Outlives them.
class NativeDoor {
 public:
  NativeDoor(Front* front, NativeOptions options) : front_(front), options_(std::move(options)) {}

  // Who this node is: before the loop runs, where the options did not say it yet.
  void SetSelf(NodeId self) { options_.hello.node = self; }
  std::unique_ptr<Session> MakeSession(Outlet* outlet);

  // The refusal frame for a client over the limit of connections.
  std::string FullReply();

 private:
  friend class NativeSession;

  Front* const front_;
  NativeOptions options_;
  wire::Encoder encoder_;
  // By number, for replies that come when the client may have left.
  std::unordered_map<uint64_t, NativeSession*> sessions_;
  uint64_t next_session_ = 1;
};

class NativeSession final : public Session {
 public:
  NativeSession(NativeDoor* door, Outlet* outlet);
  ~NativeSession() override;

  size_t Consume(std::string_view input) override;
  bool paused() const override;
  bool awaiting() const override { return in_flight_ > 0; }

 private:
  // Of one whole frame; an error ends the session.
  Status OnFrame(const wire::Frame& frame);
  Status OnHello(std::string_view payload);
  Status OnRequest(std::string_view payload);
  Status OnStatusRequest(std::string_view payload);
  Status OnKeyListRequest(std::string_view payload);
  Status OnAdminRequest(std::string_view payload);
  void OnReply(const wire::ClientReply& reply);
  void OnKeyList(const wire::KeyListReply& reply);
  void OnAdmin(const wire::AdminReply& reply);
  // One of those in flight is done; whether its answer still has a way.
  bool Land();

  NativeDoor* const door_;
  Outlet* const outlet_;
  const uint64_t number_;
  bool greeted_ = false;
  bool ended_ = false;
  size_t in_flight_ = 0;
  size_t pipeline_bytes_ = 0;  // taken since nothing was in flight
};

}  // namespace eddy::server
