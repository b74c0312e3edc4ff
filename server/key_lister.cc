#include "server/key_lister.h"

#include "base/check.h"
#include "storage/key.h"

namespace eddy::server {

wire::KeyListReply ListKeys(storage::Engine* engine, const wire::KeyListRequest& request) {
  wire::KeyListReply reply{.id = request.id, .error = std::nullopt, .keys = {}, .cursor = {}};
  size_t records = 0;
  size_t scanned_bytes = 0;
  size_t listed_bytes = 0;
  const auto visit = [&](std::string_view place, std::string_view value) {
    const bool full = reply.keys.size() == wire::kKeyListKeysMax ||
                      listed_bytes >= wire::kKeyListBytesMax || records == kKeyListRecordsMax ||
                      scanned_bytes >= kKeyListScanBytesMax;
    if (full) {
      // The next page begins at this record.
      reply.cursor = place;
      return false;
    }
    ++records;
    scanned_bytes += place.size() + value.size();
    // A row that is no record of ours is the scrubber's business, and not listed.
    const auto key = storage::DecodeKey(place);
    if (key && (request.bucket.empty() || key->bucket == request.bucket)) {
      listed_bytes += key->bucket.size() + key->key.size();
      reply.keys.push_back({.bucket = std::string(key->bucket), .key = std::string(key->key)});
    }
    return true;
  };
  if (Status scanned = engine->Scan(storage::Space::kData, request.cursor, {}, visit); !scanned) {
    return {.id = request.id, .error = scanned.error(), .keys = {}, .cursor = {}};
  }
  return reply;
}

KeyLister::KeyLister(uv_loop_t* loop, storage::Engine* engine)
    : engine_(engine), async_(new uv_async_t) {
  CHECK(uv_async_init(loop, async_, [](uv_async_t* handle) {
          static_cast<KeyLister*>(handle->data)->HandBack();
        }) == 0);
  async_->data = this;
  thread_ = std::thread([this] { Run(); });
}

KeyLister::~KeyLister() { CHECK(async_ == nullptr); }

void KeyLister::Close() {
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

void KeyLister::List(wire::KeyListRequest request, Front::Listed listed) {
  {
    const std::lock_guard lock(mutex_);
    Task task{.request = std::move(request), .listed = std::move(listed), .reply = {}};
    if (waiting_.size() < kWaitingMax) {
      waiting_.push_back(std::move(task));
      wake_.notify_one();
      return;
    }
    task.reply.id = task.request.id;
    task.reply.error = Error{Code::kBusy, "many exports read this node's keys: try again later"};
    done_.push_back(std::move(task));
  }
  uv_async_send(async_);
}

void KeyLister::HandBack() {
  std::vector<Task> done;
  {
    const std::lock_guard lock(mutex_);
    done.swap(done_);
  }
  for (Task& task : done) task.listed(std::move(task.reply));
}

void KeyLister::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    Task task = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    task.reply = ListKeys(engine_, task.request);
    lock.lock();
    done_.push_back(std::move(task));
    uv_async_send(async_);
  }
}

}  // namespace eddy::server
