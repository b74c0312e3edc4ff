#include "gossip/state_sync.h"

#include <utility>

#include <fmt/core.h>

#include "base/bytes.h"
#include "base/check.h"
#include "gossip/envelope.h"
#include "gossip/update_codec.h"

namespace eddy::gossip {

namespace {

constexpr uint32_t kMagic = 0x45644773;  // "EdGs"

}  // namespace

std::string EncodeStateSync(ClusterDigest cluster, const StateSync& state) {
  CHECK(state.members.size() <= kMembersMax);
  std::string bytes = OpenEnvelope(kMagic, cluster);
  AppendId(&bytes, state.sender);
  AppendVarint(&bytes, state.members.size());
  for (const MemberState& member : state.members) {
    AppendUpdate(&bytes, Update{.member = member, .from = state.sender});
  }
  SealEnvelope(&bytes);
  return bytes;
}

Result<StateSync> DecodeStateSync(ClusterDigest cluster, std::string_view bytes) {
  if (bytes.size() > kStateSyncBytesMax) {
    return Fail(Code::kTooLarge, fmt::format("a state of {} bytes; at most {} are allowed",
                                             bytes.size(), kStateSyncBytesMax));
  }
  const Result<std::string_view> content = ReadEnvelope(kMagic, cluster, bytes);
  if (!content) return std::unexpected(content.error());

  ByteReader reader(*content);
  StateSync state;
  state.sender = ReadId(&reader);
  const uint64_t count = reader.Varint();
  bool in_range = !state.sender.IsNone() && count <= kMembersMax;
  for (uint64_t i = 0; i < count && in_range && reader.ok(); ++i) {
    Update update = ReadUpdate(&reader, &in_range);
    in_range = in_range && (update.from.IsNone() || update.from == state.sender) &&
               (state.members.empty() || state.members.back().id < update.member.id);
    state.members.push_back(std::move(update.member));
  }
  if (!in_range) {
    return Fail(Code::kCorruption, "a state with a number or an id out of range or order");
  }
  if (!reader.AtEnd()) return Fail(Code::kCorruption, "a state that ends too early or too late");
  return state;
}

}  // namespace eddy::gossip
