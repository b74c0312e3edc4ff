// Updates as bytes, alike in packets and in full states.
//   update := id_high id_low incarnation liveness address [from_high from_low]
//   address := host port
// Ids are big-endian, other integers varints, liveness one byte; the host is preceded by its
// length, and the author is there only if the member is suspect or dead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/ids.h"
#include "gossip/member.h"

namespace eddy::gossip {

// How many bytes AppendVarint writes.
size_t VarintBytes(uint64_t value);

void AppendId(std::string* out, NodeId id);
NodeId ReadId(ByteReader* reader);

void AppendAddress(std::string* out, const Address& address);
// Clears *ok if it is no address.
Address ReadAddress(ByteReader* reader, bool* ok);
size_t AddressBytes(const Address& address);

void AppendUpdate(std::string* out, const Update& update);
// Clears *ok if anything in it is out of range: an id that is none, an incarnation beyond
// kIncarnationMax, no liveness, no address, or an author that is none.
Update ReadUpdate(ByteReader* reader, bool* ok);
// How many bytes AppendUpdate writes.
size_t UpdateBytes(const Update& update);

}  // namespace eddy::gossip
