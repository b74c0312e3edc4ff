// One TCP connection: its socket, its buffers and the limits on them. A Session speaks its
// protocol. Output is collected over a turn of the loop and leaves in one write; what the socket
// does not take waits, and a peer that does not read what it asked for is first no longer listened
// to and then disconnected. Loop thread only.
//
//   open ──CloseAfterFlush──▶ flushing ──all written──▶ lingering ──peer closed, or too long──▶
//   closed
//     └──────────────── error, limit, peer closed with nothing awaited ───────────────────────▶
//
// Lingering reads and drops what still comes, since closing a socket with unread bytes would make
// the kernel throw away the last reply.
#pragma once

#include <uv.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "server/buffer_pool.h"
#include "server/input_age.h"
#include "server/input_buffer.h"
#include "server/request_memory.h"
#include "server/session.h"

namespace eddy::server {

struct TcpLimits {
  // Input that the session could not use yet. More is a protocol error of ours or theirs.
  size_t input_bytes_max = 96 * 1024 * 1024;
  // Output waiting beyond the first stops the reading, beyond the second ends the connection.
  size_t unsent_bytes_pause = 1024 * 1024;
  size_t unsent_bytes_max = 256 * 1024 * 1024;
  // Until a message that has begun to arrive is whole.
  Duration message_max = std::chrono::seconds(60);
  // Without the other side taking anything of what waits for it.
  Duration stall_max = std::chrono::seconds(30);
  Duration linger_max = std::chrono::seconds(1);
  // The last two while memory is short (server/request_memory.h).
  Duration crowded_max = std::chrono::seconds(5);
  // Without the other side's kernel saying anything, when asked: the machine is gone.
  std::chrono::seconds vanished_max{30};
};

class TcpConnection;

// Connections with something to do at the end of a turn, each once.
class ConnectionQueue {
 public:
  void Add(TcpConnection* connection) { connections_.push_back(connection); }
  void Remove(TcpConnection* connection);
  bool empty() const { return connections_.empty(); }
  // Calls `visit` for those that are queued now; what they queue meanwhile waits for the next time.
  template <class Visit>
  void Drain(Visit visit);

 private:
  std::vector<TcpConnection*> connections_;
  std::vector<TcpConnection*> draining_;
};

// What the connections of one kind share; outlives them.
struct TcpShared {
  static constexpr size_t kScratchBytes = 64 * 1024;
  // An input buffer beyond this holds a message that is too large for one read.
  static constexpr size_t kLargeInputBytes = kScratchBytes;

  uv_loop_t* loop = nullptr;
  TcpLimits limits;
  RequestMemory* memory = nullptr;  // null: nobody counts, and it is never short
  InputAge* input_age = nullptr;    // null: nobody asks how old input is
  ConnectionQueue woken;
  ConnectionQueue unsent;
  // Sockets are read into this one buffer; a connection needs memory of its own only while a
  // message has arrived in part.
  std::unique_ptr<uint64_t[]> scratch =
      std::make_unique_for_overwrite<uint64_t[]>(kScratchBytes / sizeof(uint64_t));
  BufferPool buffers;
  // Of those whose messages are too large for one read, in the order in which they began: while
  // memory is short only the first is read, so that one after the other comes to its end.
  std::deque<TcpConnection*> large;
  std::vector<TcpConnection*> held_back;
  // Totals.
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;

  bool crowded() const { return memory != nullptr && memory->crowded(); }
  // Lets sessions that woke go on, and those be read that were held back.
  void RunWoken();
  // Writes what this turn has appended: one write a connection.
  void Flush();

 private:
  void ReviewHeldBack();
};

class TcpConnection final : public Outlet {
 public:
  // Once, when the socket is closed and the session destroyed: the owner destroys the connection.
  using OnClosed = std::function<void(TcpConnection*)>;

  // `hello_max`: until the session has first used something; zero: for ever.
  TcpConnection(TcpShared* shared, Duration hello_max, OnClosed on_closed);
  ~TcpConnection() override;
  TcpConnection(const TcpConnection&) = delete;
  TcpConnection& operator=(const TcpConnection&) = delete;

  // Either Accept and Start, or Connect, is called first. If it fails the connection closes. What
  // the session has appended already leaves first.
  bool Accept(uv_stream_t* listener);
  void Start(std::unique_ptr<Session> session, MonotonicTime now);
  void Connect(const sockaddr* address, std::unique_ptr<Session> session, MonotonicTime now);

  // At once, whatever waits to be written; `reason` is empty where the other side did it. Nothing
  // is called after this but the session's OnClosed and then on_closed, both later.
  void Close(std::string_view reason);
  // The same, and what the other side's kernel has not taken yet will not be delivered either, as
  // it would be for minutes otherwise: for one that is given up on, whose work others do now.
  void Abandon(std::string_view reason);
  // For bytes appended where nothing else can have changed: a Wake that does not ask the session.
  void QueueFlush();
  // Takes no more input, for good: for a daemon that drains.
  void StopConsuming();
  // Closes if a limit of time is over. Call it every second or so.
  void CheckTimes(MonotonicTime now);

  // Outlet. Appending needs a Wake outside Consume.
  std::string* out() override {
    shared_->buffers.Lend(&out_);
    return &out_;
  }
  void CloseAfterFlush() override;
  void Wake() override;
  bool crowded() const override { return shared_->crowded(); }
  void Hold(size_t bytes) override { session_share_.Set(bytes); }

  // Of the two ends, as "host:port"; empty before the connection is made.
  std::string local_address() const { return AddressOf(&uv_tcp_getsockname); }
  std::string peer_address() const { return AddressOf(&uv_tcp_getpeername); }
  bool closed() const { return stage_ == Stage::kClosed; }
  size_t unsent_bytes() const { return out_.size() + sending_.size(); }

 private:
  friend struct TcpShared;
  friend class ConnectionQueue;
  enum class Stage : uint8_t { kConnecting, kOpen, kFlushing, kLingering, kClosed };

  using NameOf = int (*)(const uv_tcp_t*, sockaddr*, int*);
  std::string AddressOf(NameOf name_of) const;
  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&socket_); }
  void AllocateInput(uv_buf_t* buffer);
  void OnRead(ssize_t size, const uv_buf_t* buffer);
  void OnInput(const char* bytes, size_t size);
  void ConsumeHeld();
  size_t Consume(std::string_view input);
  void Flush();
  void OnWritten(int status);
  // What follows once nothing waits to be written.
  void OnFlushed();
  // Reads from the socket or does not, as the session and the output that waits allow.
  void SetReading();
  bool MayConsume() const;
  // Whether this one is not read until memory is less short, or its turn has come.
  bool HeldBack() const;
  // Tells the others what this one holds now.
  void Account();
  void LeaveLarge();

  TcpShared* const shared_;
  const Duration hello_max_;
  OnClosed on_closed_;

  uv_tcp_t socket_;
  uv_connect_t connect_;
  uv_write_t write_;
  uv_shutdown_t shutdown_;
  std::unique_ptr<Session> session_;
  Stage stage_ = Stage::kConnecting;
  std::string close_reason_;

  InputBuffer input_;
  // When the socket had been read empty, and all of that been used.
  MonotonicTime drained_at_;
  bool reading_ = false;
  bool stopped_ = false;  // StopConsuming
  bool input_ended_ = false;

  std::string out_;
  std::string sending_;  // in the hands of uv_write until it calls back
  bool writing_ = false;

  // For CheckTimes, which notes the moments: socket callbacks read no clock.
  bool consumed_any_ = false;
  bool consumed_since_check_ = false;
  size_t write_queue_at_check_ = 0;
  MonotonicTime opened_at_;
  MonotonicTime input_moved_at_;
  MonotonicTime output_moved_at_;
  MonotonicTime lingering_since_;

  bool in_woken_ = false;
  bool in_unsent_ = false;
  bool in_large_ = false;
  bool in_held_back_ = false;
  MemoryShare input_share_;
  MemoryShare output_share_;
  MemoryShare session_share_;
};

template <class Visit>
void ConnectionQueue::Drain(Visit visit) {
  draining_.swap(connections_);
  for (TcpConnection*& connection : draining_) {
    // Null where a visit before this one destroyed it.
    if (connection != nullptr) visit(connection);
  }
  draining_.clear();
}

}  // namespace eddy::server
