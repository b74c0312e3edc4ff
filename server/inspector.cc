#include "server/inspector.h"

#include <utility>

#include "base/check.h"

namespace eddy::server {

Inspector::Inspector(uv_loop_t* loop, storage::Engine* engine)
    : engine_(engine), async_(new uv_async_t) {
  CHECK(uv_async_init(loop, async_, [](uv_async_t* handle) {
          static_cast<Inspector*>(handle->data)->HandBack();
        }) == 0);
  async_->data = this;
  thread_ = std::thread([this] { Run(); });
}

Inspector::~Inspector() { CHECK(async_ == nullptr); }

void Inspector::Close() {
  if (async_ == nullptr) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
  uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(async_, nullptr)),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_async_t*>(handle); });
}

bool Inspector::Begin(Look look, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= kWaitingMax) return false;
    waiting_.push_back({std::move(look), std::move(done)});
  }
  wake_.notify_one();
  return true;
}

void Inspector::HandBack() {
  std::vector<Task> seen;
  {
    const std::lock_guard lock(mutex_);
    seen.swap(seen_);
  }
  for (Task& task : seen) task.done();
}

void Inspector::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    Task task = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    task.look(engine_);
    lock.lock();
    seen_.push_back(std::move(task));
    uv_async_send(async_);
  }
}

}  // namespace eddy::server
