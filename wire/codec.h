// Between plain message structs and FlatBuffers (wire/eddy.fbs). Decoding verifies everything (the
// Verifier with small limits, then our own checks of presence, ranges and lengths) and never
// allocates much more than the payload holds. It gives kCorruption for bytes that no encoder of
// ours would have made, and kUnsupported for a union member or enum value of a newer version;
// unknown fields are ignored.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "wire/admin.h"
#include "wire/client_message.h"
#include "wire/frame.h"
#include "wire/hello.h"
#include "wire/key_list.h"
#include "wire/peer_message.h"

namespace flatbuffers {
class FlatBufferBuilder;
}

namespace eddy::wire {

// A reply holds no more siblings than this. A key cannot come near it but by the joins of replicas
// that were long apart.
inline constexpr size_t kReplySiblingsMax = 4096;
// Longer texts of errors are cut.
inline constexpr size_t kErrorTextBytesMax = 1024;
// Of a cluster, a node, a zone, a host or the software.
inline constexpr size_t kNameBytesMax = 255;
inline constexpr size_t kCountersMax = 1024;

// Appends frames. Keeps its scratch memory between messages, so hold one a connection or a thread;
// not for two threads at once.
class Encoder {
 public:
  Encoder();
  ~Encoder();
  Encoder(Encoder&&) noexcept;
  Encoder& operator=(Encoder&&) noexcept;

  // Each appends one frame holding the message. Those that return a Status append nothing when it
  // is an error.

  void AppendHello(const Hello& hello, std::string* out);
  // What CheckRequest says.
  [[nodiscard]] Status AppendClientRequest(const ClientRequest& request, std::string* out);
  // In place of a reply that no frame can hold goes the error kTooLarge, with the reply's id and
  // context, so that a client can replace what it cannot read.
  void AppendClientReply(const ClientReply& reply, std::string* out);
  void AppendStatusRequest(RequestId id, std::string* out);
  void AppendStatusReply(RequestId id, const NodeStatus& status, std::string* out);
  // Requires the limits of wire/key_list.h.
  void AppendKeyListRequest(const KeyListRequest& request, std::string* out);
  void AppendKeyListReply(const KeyListReply& reply, std::string* out);
  // Requires the limits of wire/admin.h.
  void AppendAdminRequest(const AdminRequest& request, std::string* out);
  void AppendAdminReply(const AdminReply& reply, std::string* out);
  // kTooLarge when the record is over kRecordBytesMax, or what CheckRequest says of a forwarded
  // request: drop and count the message, as if it had been lost.
  [[nodiscard]] Status AppendPeerMessage(const PeerMessage& message, std::string* out);
  void AppendRefusal(const Error& error, std::string* out);

 private:
  // Ends the message at `root`, appends its frame and clears the builder.
  void Finish(FrameKind kind, uint32_t root, std::string* out);

  std::unique_ptr<flatbuffers::FlatBufferBuilder> builder_;
};

// From the payload of a frame, which must be 8-byte aligned.

[[nodiscard]] Result<Hello> DecodeHello(std::string_view payload);
// On kCorruption close the connection. On any other error the request as such cannot be served, and
// the connection is sound: `*id` is set, answer it.
[[nodiscard]] Result<ClientRequest> DecodeClientRequest(std::string_view payload, RequestId* id);
[[nodiscard]] Result<ClientReply> DecodeClientReply(std::string_view payload);
[[nodiscard]] Result<RequestId> DecodeStatusRequest(std::string_view payload);
[[nodiscard]] Result<std::pair<RequestId, NodeStatus>> DecodeStatusReply(std::string_view payload);
[[nodiscard]] Result<KeyListRequest> DecodeKeyListRequest(std::string_view payload);
[[nodiscard]] Result<KeyListReply> DecodeKeyListReply(std::string_view payload);
[[nodiscard]] Result<AdminRequest> DecodeAdminRequest(std::string_view payload);
[[nodiscard]] Result<AdminReply> DecodeAdminReply(std::string_view payload);
[[nodiscard]] Result<PeerMessage> DecodePeerMessage(std::string_view payload);
[[nodiscard]] Result<Error> DecodeRefusal(std::string_view payload);

}  // namespace eddy::wire
