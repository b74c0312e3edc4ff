// One connection's protocol, without its socket: bytes in, bytes out. The TCP side owns the socket
// and the buffers, applies the limits on them, and calls the session; tests feed a session by hand,
// at every byte boundary. Loop thread only.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace eddy::server {

// Where a session's output goes. Outlives the session.
class Outlet {
 public:
  virtual ~Outlet() = default;
  // Appended bytes leave with the others of this turn, in one write.
  virtual std::string* out() = 0;
  // Sends what was appended, then closes. The session gets no further calls but its destructor.
  virtual void CloseAfterFlush() = 0;
  // Call when a reply was appended outside Consume, or when Consume could go on now with bytes it
  // left behind.
  virtual void Wake() = 0;
  // Memory is short: a session that has something in flight takes no more until that is done.
  virtual bool crowded() const { return false; }
  // So many bytes the session holds by now, besides what is in the buffers of this side.
  virtual void Hold(size_t /*bytes*/) {}
};

class Session {
 public:
  virtual ~Session() = default;
  // Takes as much of `input` as it can use now and returns how many bytes that was. What is left
  // comes again, with more behind it; a session that has enough in flight takes nothing until it
  // wakes. `input` is 8-byte aligned at its start as long as the session takes multiples of 8.
  virtual size_t Consume(std::string_view input) = 0;
  // Whether it takes nothing until it wakes: then the socket is not read either, and the client
  // feels it.
  virtual bool paused() const { return false; }
  // Whether replies are still to come: a client that has sent all it had to say (and closed its
  // half) still gets them.
  virtual bool awaiting() const { return false; }
  // Nothing has come for a while, and nothing is awaited: memory kept for the next request can go.
  virtual void Rest() {}
  // The connection is over, and this session about to be destroyed. `reason` is why our side ended
  // it; empty when the other side did.
  virtual void OnClosed(std::string_view /*reason*/) {}
};

}  // namespace eddy::server
