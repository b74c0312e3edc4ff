// A TCP connection of the bare quorum store: whole frames in, and bytes that leave once a turn in
// one write. A connection that ended stays as an object, since operations may still point to it,
// and swallows what is appended. Loop thread only.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/floor/frame.h"

namespace eddy::bench {

class FloorConnection;

// What the connections of one loop share.
struct FloorConnections {
  static constexpr size_t kScratchBytes = 64 * 1024;

  explicit FloorConnections(uv_loop_t* its_loop)
      : loop(its_loop), scratch(std::make_unique_for_overwrite<char[]>(kScratchBytes)) {}

  // Writes what was appended, one write a connection.
  void Flush();

  uv_loop_t* const loop;
  std::function<void(FloorConnection*, const FloorFrame&)> on_frame;
  std::function<void(FloorConnection*)> on_end;
  // Sockets are read into this one buffer, whose pages stay warm.
  std::unique_ptr<char[]> scratch;
  std::vector<std::unique_ptr<FloorConnection>> all;
  std::vector<FloorConnection*> unsent;
};

class FloorConnection {
 public:
  // Owned by `connections->all`. One of them makes it useful.
  explicit FloorConnection(FloorConnections* connections);
  void Accept(uv_stream_t* listener);
  // `connected` is called when it is; a failure ends the connection.
  void Connect(const sockaddr* address, std::function<void()> connected);

  void Append(FloorVerb verb, uint32_t id, std::string_view key = {}, std::string_view rest = {},
              std::string_view more = {});
  // At once, whatever waits to be written.
  void End();

 private:
  friend struct FloorConnections;

  static constexpr size_t kFrameBytesMax = 32 * 1024 * 1024;

  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&socket_); }
  void StartReading();
  void OnRead(ssize_t size, const char* bytes);
  // How many bytes whole frames took.
  size_t TakeFrames(std::string_view input);
  void Flush();

  FloorConnections* const connections_;
  uv_tcp_t socket_;
  uv_connect_t connect_;
  uv_write_t write_;
  std::function<void()> connected_;
  std::string partial_;  // the beginning of a frame
  std::string out_;
  std::string sending_;  // in the hands of uv_write
  bool writing_ = false;
  bool in_unsent_ = false;
  bool ended_ = false;
};

}  // namespace eddy::bench
