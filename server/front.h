// What a door needs of the node behind it: submit a request and get its reply, and look at the
// node. Doors know nothing else, so each is tested against a front made of ten lines. Loop thread
// only.
#pragma once

#include <functional>
#include <string>

#include "base/time.h"
#include "ring/layout.h"
#include "wire/admin.h"
#include "wire/client_message.h"
#include "wire/hello.h"
#include "wire/key_list.h"

namespace eddy::server {

class Front {
 public:
  using Done = std::move_only_function<void(wire::ClientReply)>;

  virtual ~Front() = default;
  // `done` is called exactly once, never from inside Submit. A door whose client has left drops
  // what it gets then.
  virtual void Submit(wire::ClientRequest request, Done done) = 0;
  // A page of the keys that this node holds. `listed` is called at most once (not when the node
  // stops first), perhaps from inside.
  using Listed = std::move_only_function<void(wire::KeyListReply)>;
  virtual void ListKeys(wire::KeyListRequest request, Listed listed) = 0;
  // An error of the call is the reply's. `answered` likewise.
  using Answered = std::move_only_function<void(wire::AdminReply)>;
  virtual void Admin(wire::AdminRequest request, Answered answered) = 0;
  virtual wire::NodeStatus Status() = 0;
  // As Prometheus reads it (server/metrics.h).
  virtual std::string Metrics() = 0;
  virtual const ring::Layout& layout() = 0;
  virtual Now now() = 0;
};

}  // namespace eddy::server
