// A node whose store and peers answer at once and do nothing: what is left of a put or a get is the
// coordinator's own part.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "node/effects.h"
#include "node/node.h"
#include "ring/layout.h"

namespace eddy::bench {

class Coordinator {
 public:
  // Member of a cluster of three, with N = 3 and R = W = 2. `value_bytes`: of every value.
  explicit Coordinator(size_t value_bytes);

  // One request from its submission to the last that is heard of it. CHECKs that it was done.
  void Put();
  void Get();

 private:
  void Run(wire::ClientRequest request);
  void Perform();
  Now now() const;

  const ring::Layout layout_;
  const std::string value_;
  std::string record_;  // what every replica holds of every key
  std::unique_ptr<node::Node> node_;
  node::Effects effects_;
  uint64_t requests_ = 0;
  uint64_t answers_ = 0;
};

}  // namespace eddy::bench
