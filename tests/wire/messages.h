// Random messages of every kind for the tests of the wire, and one door to encode and decode them
// all. What Make* returns is within every limit, and drawn towards the edges.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "lattice/causal_context.h"
#include "wire/client_message.h"
#include "wire/codec.h"
#include "wire/frame.h"
#include "wire/hello.h"
#include "wire/peer_message.h"

namespace eddy::wire {

std::string MakeBytes(Random* random, size_t bytes_min, size_t bytes_max);
Error MakeError(Random* random);
lattice::CausalContext MakeContext(Random* random);
Hello MakeHello(Random* random);
ClientRequest MakeRequest(Random* random);
ClientReply MakeReply(Random* random);
NodeStatus MakeStatus(Random* random);
KeyListRequest MakeKeyListRequest(Random* random);
KeyListReply MakeKeyListReply(Random* random);
AdminRequest MakeAdminRequest(Random* random);
AdminReply MakeAdminReply(Random* random);
// One alternative of PeerMessage; `index` below std::variant_size.
PeerMessage MakePeerMessage(Random* random, size_t index);
RequestId MakeRequestId(Random* random);

// One frame of every kind, and of every kind of message between nodes.
std::vector<std::string> MakeFrames(Random* random);

// Decodes a payload of that kind and encodes what came out; or the error of decoding.
Result<std::string> Reencode(FrameKind kind, std::string_view payload);

// A copy that ends exactly at the end of its allocation, so that a sanitizer sees the first byte
// read beyond it; aligned as a frame is.
class ExactCopy {
 public:
  explicit ExactCopy(std::string_view bytes);
  std::string_view view() const { return {bytes_.get(), size_}; }
  char* data() { return bytes_.get(); }
  size_t size() const { return size_; }

 private:
  std::unique_ptr<char[]> bytes_;
  size_t size_;
};

// The payload of the only frame in `frame`; it must be whole.
Frame OnlyFrame(std::string_view frame);

}  // namespace eddy::wire
