// Lists the keys of the store, page by page, on a thread of its own: a scan reads from disk, and
// the loop thread does not wait for it. All but the scan itself happens on the loop thread.
#pragma once

#include <uv.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "server/front.h"
#include "storage/engine.h"
#include "wire/key_list.h"

namespace eddy::server {

// One page. It ends after wire::kKeyListKeysMax keys, or when it has looked at so many records, or
// at so many bytes of them.
inline constexpr size_t kKeyListRecordsMax = 10'000;
inline constexpr size_t kKeyListScanBytesMax = 4 * 1024 * 1024;
wire::KeyListReply ListKeys(storage::Engine* engine, const wire::KeyListRequest& request);

class KeyLister {
 public:
  // Requests that wait; beyond: kBusy.
  static constexpr size_t kWaitingMax = 64;

  KeyLister(uv_loop_t* loop, storage::Engine* engine);
  ~KeyLister();
  KeyLister(const KeyLister&) = delete;
  KeyLister& operator=(const KeyLister&) = delete;

  void List(wire::KeyListRequest request, Front::Listed listed);
  // Ends the thread after the page under way, and closes the handle; what waits is dropped. The
  // loop must run once more after it.
  void Close();

 private:
  struct Task {
    wire::KeyListRequest request;
    Front::Listed listed;
    wire::KeyListReply reply;
  };

  void Run();
  void HandBack();

  storage::Engine* const engine_;
  uv_async_t* async_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> waiting_;  // guarded by mutex_, as is what follows
  std::vector<Task> done_;
  bool stopping_ = false;

  std::thread thread_;  // last, so that it starts when all else is there
};

}  // namespace eddy::server
