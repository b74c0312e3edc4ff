// A thread on which the engine is looked at beside the store, for people: lists of keys, a key's
// rows, the keys with the most siblings. A look reads from disk, and the loop thread does not wait
// for it. Looks see what is written, synced or not.
#pragma once

#include <uv.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "storage/engine.h"

namespace eddy::server {

class Inspector {
 public:
  using Look = std::move_only_function<void(storage::Engine*)>;
  using Done = std::move_only_function<void()>;

  // Looks that wait; beyond, they are refused.
  static constexpr size_t kWaitingMax = 64;

  Inspector(uv_loop_t* loop, storage::Engine* engine);
  ~Inspector();
  Inspector(const Inspector&) = delete;
  Inspector& operator=(const Inspector&) = delete;

  // Runs `look` on the thread, and then `done` on the loop thread, never from inside. False, and
  // neither runs, when too many wait.
  [[nodiscard]] bool Begin(Look look, Done done);
  // Ends the thread after the look under way, and closes the handle; what waits is dropped. The
  // loop must run once more after it.
  void Close();

 private:
  struct Task {
    Look look;
    Done done;
  };

  void Run();
  void HandBack();

  storage::Engine* const engine_;
  uv_async_t* async_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> waiting_;  // guarded by mutex_, as is what follows
  std::vector<Task> seen_;
  bool stopping_ = false;

  std::thread thread_;  // last, so that it starts when all else is there
};

}  // namespace eddy::server
