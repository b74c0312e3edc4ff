#include "bench/floor/connection.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace eddy::bench {

namespace {

FloorConnection* Self(void* data) { return static_cast<FloorConnection*>(data); }

}  // namespace

void FloorConnections::Flush() {
  for (FloorConnection* connection : unsent) {
    connection->in_unsent_ = false;
    connection->Flush();
  }
  unsent.clear();
}

FloorConnection::FloorConnection(FloorConnections* connections) : connections_(connections) {
  CHECK(uv_tcp_init(connections->loop, &socket_) == 0);
  socket_.data = connect_.data = write_.data = this;
}

void FloorConnection::Accept(uv_stream_t* listener) {
  if (uv_accept(listener, stream()) != 0) return End();
  StartReading();
}

void FloorConnection::Connect(const sockaddr* address, std::function<void()> connected) {
  connected_ = std::move(connected);
  const int failed =
      uv_tcp_connect(&connect_, &socket_, address, [](uv_connect_t* request, int status) {
        FloorConnection* self = Self(request->data);
        if (status != 0) return self->End();
        self->StartReading();
        self->connected_();
      });
  if (failed != 0) End();
}

void FloorConnection::StartReading() {
  uv_tcp_nodelay(&socket_, 1);
  const int failed = uv_read_start(
      stream(),
      [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
        *buffer = uv_buf_init(Self(handle->data)->connections_->scratch.get(),
                              FloorConnections::kScratchBytes);
      },
      [](uv_stream_t* handle, ssize_t size, const uv_buf_t* buffer) {
        Self(handle->data)->OnRead(size, buffer->base);
      });
  if (failed != 0) End();
}

void FloorConnection::OnRead(ssize_t size, const char* bytes) {
  if (size < 0) return End();
  const std::string_view input(bytes, static_cast<size_t>(size));
  if (partial_.empty()) {
    partial_.assign(input.substr(TakeFrames(input)));
  } else {
    partial_.append(input);
    partial_.erase(0, TakeFrames(partial_));
  }
  if (partial_.size() > kFrameBytesMax) End();
}

size_t FloorConnection::TakeFrames(std::string_view input) {
  size_t taken = 0;
  while (!ended_) {
    const auto frame = ParseFloorFrame(input.substr(taken));
    if (!frame) break;
    taken += frame->size;
    connections_->on_frame(this, *frame);
  }
  return taken;
}

void FloorConnection::Append(FloorVerb verb, uint32_t id, std::string_view key,
                             std::string_view rest, std::string_view more) {
  if (ended_) return;
  AppendFloorFrame(verb, id, key, rest, more, &out_);
  if (std::exchange(in_unsent_, true)) return;
  connections_->unsent.push_back(this);
}

void FloorConnection::Flush() {
  if (ended_ || writing_ || out_.empty()) return;
  uv_buf_t buffer = uv_buf_init(out_.data(), static_cast<unsigned>(out_.size()));
  const auto sent = static_cast<size_t>(std::max(uv_try_write(stream(), &buffer, 1), 0));
  if (sent == out_.size()) return out_.clear();
  out_.swap(sending_);
  writing_ = true;
  buffer = uv_buf_init(sending_.data() + sent, static_cast<unsigned>(sending_.size() - sent));
  const int failed = uv_write(&write_, stream(), &buffer, 1, [](uv_write_t* request, int status) {
    FloorConnection* self = Self(request->data);
    self->writing_ = false;
    self->sending_.clear();
    if (status != 0) return self->End();
    self->Flush();
  });
  if (failed != 0) End();
}

void FloorConnection::End() {
  if (std::exchange(ended_, true)) return;
  uv_close(reinterpret_cast<uv_handle_t*>(&socket_), [](uv_handle_t* handle) {
    FloorConnection* self = Self(handle->data);
    self->out_ = self->sending_ = self->partial_ = std::string();
    self->connections_->on_end(self);
  });
}

}  // namespace eddy::bench
