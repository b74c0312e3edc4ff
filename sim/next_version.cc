#include "sim/next_version.h"

#include <memory>

#include "sim/eddy_next_generated.h"

namespace eddy::sim {

std::string InNextVersion(std::string_view payload) {
  namespace next = wire::next;
  const std::unique_ptr<next::PeerMessageT> message(next::UnPackPeerMessage(payload.data()));
  flatbuffers::FlatBufferBuilder builder;
  // Otherwise a field that has its default is not sent, and the new ones would all be so.
  builder.ForceDefaults(true);
  builder.Finish(next::PeerMessage::Pack(builder, message.get()));
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

}  // namespace eddy::sim
