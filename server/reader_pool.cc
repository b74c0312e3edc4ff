#include "server/reader_pool.h"

#include <utility>

namespace eddy::server {

ReaderPool::ReaderPool(storage::Engine* engine, unsigned threads, Done done)
    : engine_(engine), done_(std::move(done)) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

ReaderPool::~ReaderPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ReaderPool::Read(std::string key) {
  {
    const std::lock_guard lock(mutex_);
    keys_.push_back(std::move(key));
  }
  wake_.notify_one();
}

void ReaderPool::Run() {
  std::string value;
  for (;;) {
    std::string key;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !keys_.empty(); });
      if (stopping_) return;
      key = std::move(keys_.front());
      keys_.pop_front();
    }
    [[maybe_unused]] const auto read =
        engine_->Get(storage::Space::kData, key, storage::Tier::kDisk, &value);
    value.clear();
    done_(std::move(key));
  }
}

}  // namespace eddy::server
