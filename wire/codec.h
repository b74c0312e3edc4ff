// Between plain message structs and FlatBuffers (wire/eddy.fbs). Decoding verifies everything (the
// Verifier with small limits, then our own checks of presence, ranges and lengths), and gives
// kCorruption for bytes that no encoder of ours would have made; unknown fields of a newer version
// are ignored.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "wire/client_message.h"
#include "wire/hello.h"
#include "wire/peer_message.h"

namespace eddy::wire {

// Appends one frame holding the message.
void AppendHello(const Hello& hello, std::string* out);
void AppendClientRequest(const ClientRequest& request, std::string* out);
void AppendClientReply(const ClientReply& reply, std::string* out);
void AppendStatusRequest(RequestId id, std::string* out);
void AppendStatusReply(RequestId id, const NodeStatus& status, std::string* out);
void AppendPeerMessage(const PeerMessage& message, std::string* out);
void AppendRefusal(const Error& error, std::string* out);

// From the payload of a frame, 8-byte aligned.
[[nodiscard]] Result<Hello> DecodeHello(std::string_view payload);
[[nodiscard]] Result<ClientRequest> DecodeClientRequest(std::string_view payload);
[[nodiscard]] Result<ClientReply> DecodeClientReply(std::string_view payload);
[[nodiscard]] Result<RequestId> DecodeStatusRequest(std::string_view payload);
[[nodiscard]] Result<std::pair<RequestId, NodeStatus>> DecodeStatusReply(std::string_view payload);
[[nodiscard]] Result<PeerMessage> DecodePeerMessage(std::string_view payload);
[[nodiscard]] Result<Error> DecodeRefusal(std::string_view payload);

}  // namespace eddy::wire
