#include "server/tcp_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "base/check.h"

namespace eddy::server {

namespace {

TcpConnection* Self(void* data) { return static_cast<TcpConnection*>(data); }

void DetectVanishedPeer(uv_tcp_t* socket, std::chrono::seconds after) {
  uv_os_fd_t fd = -1;
  if (uv_fileno(reinterpret_cast<uv_handle_t*>(socket), &fd) != 0) return;
  const auto set = [fd](int level, int option, int value) {
    setsockopt(fd, level, option, &value, sizeof(value));
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  const int seconds = static_cast<int>(after.count());
  set(IPPROTO_TCP, TCP_KEEPIDLE, std::max(seconds / 2, 1));
  set(IPPROTO_TCP, TCP_KEEPINTVL, std::max(seconds / 8, 1));
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, seconds * 1000);
}

}  // namespace

void ConnectionQueue::Remove(TcpConnection* connection) {
  std::erase(connections_, connection);
  std::ranges::replace(draining_, connection, nullptr);
}

void TcpShared::RunWoken() {
  woken.Drain([](TcpConnection* connection) {
    connection->in_woken_ = false;
    connection->ConsumeHeld();
  });
  if (!held_back.empty()) ReviewHeldBack();
}

void TcpShared::ReviewHeldBack() {
  for (TcpConnection* connection : std::exchange(held_back, {})) {
    connection->in_held_back_ = false;
    connection->SetReading();
  }
}

void TcpShared::Flush() {
  unsent.Drain([](TcpConnection* connection) {
    connection->in_unsent_ = false;
    connection->Flush();
  });
}

TcpConnection::TcpConnection(TcpShared* shared, Duration hello_max, OnClosed on_closed)
    : shared_(shared),
      hello_max_(hello_max),
      on_closed_(std::move(on_closed)),
      input_share_(shared->memory == nullptr ? nullptr : &shared->memory->taken),
      output_share_(shared->memory == nullptr ? nullptr : &shared->memory->under_way),
      session_share_(shared->memory == nullptr ? nullptr : &shared->memory->taken) {
  CHECK(uv_tcp_init(shared->loop, &socket_) == 0);
  socket_.data = this;
  connect_.data = this;
  write_.data = this;
  shutdown_.data = this;
}

TcpConnection::~TcpConnection() {
  if (in_woken_) shared_->woken.Remove(this);
  if (in_unsent_) shared_->unsent.Remove(this);
  if (in_held_back_) std::erase(shared_->held_back, this);
  LeaveLarge();
}

bool TcpConnection::Accept(uv_stream_t* listener) {
  const int failed = uv_accept(listener, stream());
  if (failed != 0) Close(uv_strerror(failed));
  return failed == 0;
}

void TcpConnection::Connect(const sockaddr* address, std::unique_ptr<Session> session,
                            MonotonicTime now) {
  session_ = std::move(session);
  opened_at_ = input_moved_at_ = output_moved_at_ = now;
  const int failed =
      uv_tcp_connect(&connect_, &socket_, address, [](uv_connect_t* req, int status) {
        TcpConnection* self = Self(req->data);
        if (self->closed()) return;
        if (status != 0) return self->Close(uv_strerror(status));
        self->Start(std::move(self->session_), self->opened_at_);
      });
  if (failed != 0) Close(uv_strerror(failed));
}

void TcpConnection::Start(std::unique_ptr<Session> session, MonotonicTime now) {
  session_ = std::move(session);
  stage_ = Stage::kOpen;
  opened_at_ = input_moved_at_ = output_moved_at_ = drained_at_ = now;
  uv_tcp_nodelay(&socket_, 1);
  DetectVanishedPeer(&socket_, shared_->limits.vanished_max);
  SetReading();
  if (!out_.empty()) QueueFlush();
}

std::string TcpConnection::AddressOf(NameOf name_of) const {
  sockaddr_storage address{};
  int size = sizeof(address);
  char host[INET6_ADDRSTRLEN] = "";
  if (name_of(&socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "";
  if (address.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
    uv_ip6_name(v6, host, sizeof(host));
    return fmt::format("[{}]:{}", host, ntohs(v6->sin6_port));
  }
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
  uv_ip4_name(v4, host, sizeof(host));
  return fmt::format("{}:{}", host, ntohs(v4->sin_port));
}

void TcpConnection::SetReading() {
  const bool held_back = HeldBack();
  if (held_back && !in_held_back_) {
    in_held_back_ = true;
    shared_->held_back.push_back(this);
  }
  const bool read = !input_ended_ &&
                    (stage_ == Stage::kLingering ||
                     (stage_ == Stage::kOpen && MayConsume() && !session_->paused() && !held_back));
  if (read == reading_) return;
  reading_ = read;
  if (!read) {
    uv_read_stop(stream());
    return;
  }
  const int failed = uv_read_start(
      stream(),
      [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
        Self(handle->data)->AllocateInput(buffer);
      },
      [](uv_stream_t* handle, ssize_t size, const uv_buf_t* buffer) {
        Self(handle->data)->OnRead(size, buffer);
      });
  if (failed != 0) Close(uv_strerror(failed));
}

bool TcpConnection::MayConsume() const {
  const size_t pause = shared_->crowded() ? 0 : shared_->limits.unsent_bytes_pause;
  return stage_ == Stage::kOpen && !stopped_ && unsent_bytes() <= pause;
}

bool TcpConnection::HeldBack() const {
  if (!shared_->crowded()) return false;
  const bool others_wait = shared_->memory->parked > 0;
  if (in_large_) return others_wait || shared_->large.front() != this;
  return others_wait && shared_->memory->overrun();
}

void TcpConnection::LeaveLarge() {
  if (std::exchange(in_large_, false)) std::erase(shared_->large, this);
}

void TcpConnection::Account() {
  input_share_.Set(closed() ? 0 : input_.memory_bytes());
  output_share_.Set(closed() ? 0 : unsent_bytes());
  const bool large = !closed() && input_.memory_bytes() > TcpShared::kLargeInputBytes;
  if (large && !in_large_) shared_->large.push_back(this);
  if (!large) LeaveLarge();
  in_large_ = large;
}

void TcpConnection::AllocateInput(uv_buf_t* buffer) {
  if (input_.empty() || stage_ == Stage::kLingering) {
    *buffer = uv_buf_init(reinterpret_cast<char*>(shared_->scratch.get()),
                          static_cast<unsigned>(TcpShared::kScratchBytes));
    return;
  }
  size_t room = 0;
  char* to = input_.Room(TcpShared::kScratchBytes / 4, &room);
  *buffer = uv_buf_init(to, static_cast<unsigned>(std::min<size_t>(room, 1u << 30)));
}

void TcpConnection::OnRead(ssize_t size, const uv_buf_t* buffer) {
  if (size == 0 || closed()) return;
  if (size == UV_EOF) {
    input_ended_ = true;
    SetReading();
    if (stage_ != Stage::kOpen || (!session_->awaiting() && unsent_bytes() == 0)) Close("");
    return;
  }
  if (size < 0) return Close(size == UV_ECONNRESET ? "" : uv_strerror(static_cast<int>(size)));
  shared_->bytes_read += static_cast<uint64_t>(size);
  if (stage_ != Stage::kOpen) return;
  OnInput(buffer->base, static_cast<size_t>(size));
  const bool emptied = static_cast<size_t>(size) < buffer->len;
  if (emptied && input_.empty() && shared_->input_age != nullptr) {
    drained_at_ = shared_->input_age->turn_at();
  }
}

void TcpConnection::OnInput(const char* bytes, size_t size) {
  if (input_.empty()) {
    const std::string_view input(bytes, size);
    input_.Append(input.substr(Consume(input)));
  } else {
    input_.Filled(size);
    input_.Take(Consume(input_.view()));
  }
  if (stage_ == Stage::kOpen && input_.size() > shared_->limits.input_bytes_max) {
    Close("sent a message over the limit of this door");
  }
  Account();
  SetReading();
}

void TcpConnection::ConsumeHeld() {
  if (!input_.empty() && MayConsume()) input_.Take(Consume(input_.view()));
  Account();
  if (stage_ == Stage::kOpen) SetReading();
  if (!out_.empty()) return QueueFlush();
  if (!writing_) OnFlushed();
}

size_t TcpConnection::Consume(std::string_view input) {
  if (!MayConsume()) return 0;
  if (shared_->input_age != nullptr) shared_->input_age->Use(drained_at_);
  const size_t used = session_->Consume(input);
  if (used > 0) consumed_any_ = consumed_since_check_ = true;
  if (!out_.empty()) QueueFlush();
  return used;
}

void TcpConnection::Wake() {
  // What was appended leaves at the end of this turn, and where nothing is held back that is all: a
  // turn more, only to find that out, would cost as much as a small request does.
  if (!out_.empty()) QueueFlush();
  if (closed() || in_woken_ || (reading_ && input_.empty())) return;
  in_woken_ = true;
  shared_->woken.Add(this);
}

void TcpConnection::QueueFlush() {
  if (closed() || in_unsent_) return;
  in_unsent_ = true;
  shared_->unsent.Add(this);
}

void TcpConnection::Flush() {
  if (closed() || stage_ == Stage::kConnecting) return;
  if (unsent_bytes() > shared_->limits.unsent_bytes_max) return Close("does not read its replies");
  if (writing_) return Account();
  if (out_.empty()) {
    shared_->buffers.TakeBack(&out_);
    return OnFlushed();
  }
  uv_buf_t buffer = uv_buf_init(out_.data(), static_cast<unsigned>(out_.size()));
  const int tried = uv_try_write(stream(), &buffer, 1);
  if (tried < 0 && tried != UV_EAGAIN) return Close(tried == UV_EPIPE ? "" : uv_strerror(tried));
  const auto sent = static_cast<size_t>(std::max(tried, 0));
  shared_->bytes_written += sent;
  if (sent == out_.size()) {
    shared_->buffers.TakeBack(&out_);
    Account();
    return OnFlushed();
  }
  out_.swap(sending_);
  Account();
  shared_->bytes_written += sending_.size() - sent;
  buffer = uv_buf_init(sending_.data() + sent, static_cast<unsigned>(sending_.size() - sent));
  writing_ = true;
  write_queue_at_check_ = 0;
  const int failed = uv_write(&write_, stream(), &buffer, 1, [](uv_write_t* req, int status) {
    Self(req->data)->OnWritten(status);
  });
  if (failed != 0) return Close(uv_strerror(failed));
  SetReading();
}

void TcpConnection::OnWritten(int status) {
  writing_ = false;
  shared_->buffers.TakeBack(&sending_);
  Account();
  if (closed()) return;
  if (status != 0) return Close(status == UV_EPIPE ? "" : uv_strerror(status));
  Flush();
}

void TcpConnection::OnFlushed() {
  if (stage_ == Stage::kOpen) {
    if (input_ended_ && !session_->awaiting()) return Close("");
    // The session may have waited for room.
    if (!input_.empty()) Wake();
    return SetReading();
  }
  if (stage_ != Stage::kFlushing) return;
  stage_ = Stage::kLingering;
  input_.Take(input_.size());
  if (input_ended_ || uv_shutdown(&shutdown_, stream(), [](uv_shutdown_t*, int) {}) != 0) {
    return Close("");
  }
  SetReading();
}

void TcpConnection::CloseAfterFlush() {
  if (stage_ != Stage::kOpen) return stage_ == Stage::kConnecting ? Close("") : void();
  stage_ = Stage::kFlushing;
  SetReading();
  QueueFlush();
}

void TcpConnection::StopConsuming() {
  stopped_ = true;
  if (stage_ == Stage::kOpen) SetReading();
}

void TcpConnection::Close(std::string_view reason) {
  if (closed()) return;
  stage_ = Stage::kClosed;
  reading_ = false;
  Account();
  close_reason_ = reason;
  uv_close(reinterpret_cast<uv_handle_t*>(&socket_), [](uv_handle_t* handle) {
    TcpConnection* self = Self(handle->data);
    if (self->session_ != nullptr) self->session_->OnClosed(self->close_reason_);
    self->session_.reset();
    const OnClosed on_closed = std::move(self->on_closed_);
    on_closed(self);  // destroys *self
  });
}

void TcpConnection::Abandon(std::string_view reason) {
  uv_os_fd_t socket = -1;
  if (!closed() && uv_fileno(reinterpret_cast<uv_handle_t*>(&socket_), &socket) == 0) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  }
  Close(reason);
}

void TcpConnection::CheckTimes(MonotonicTime now) {
  const TcpLimits& limits = shared_->limits;
  if (closed()) return;
  if (stage_ == Stage::kLingering) {
    if (lingering_since_ == MonotonicTime{}) lingering_since_ = now;
    if (now - lingering_since_ > limits.linger_max) Close("");
    return;
  }

  const size_t write_queue = writing_ ? uv_stream_get_write_queue_size(stream()) : 0;
  if (write_queue == 0 || write_queue != write_queue_at_check_) output_moved_at_ = now;
  write_queue_at_check_ = write_queue;
  const bool crowded = shared_->crowded();
  const Duration stall_max =
      crowded ? std::min(limits.crowded_max, limits.stall_max) : limits.stall_max;
  if (now - output_moved_at_ > stall_max) return Close("does not read its replies");
  if (stage_ == Stage::kFlushing) return;

  if (!consumed_any_ && hello_max_ != Duration::zero() && now - opened_at_ > hello_max_) {
    return Close("has not said hello");
  }
  // A session that takes nothing for a while because it has enough to do is not the client's fault.
  if (input_.empty() || !reading_ || consumed_since_check_) input_moved_at_ = now;
  if (!consumed_since_check_ && stage_ == Stage::kOpen && !session_->awaiting()) session_->Rest();
  consumed_since_check_ = false;
  const Duration message_max =
      crowded && in_large_ ? std::min(limits.crowded_max, limits.message_max) : limits.message_max;
  if (now - input_moved_at_ > message_max) Close("has begun a message and not ended it");
}

}  // namespace eddy::server
