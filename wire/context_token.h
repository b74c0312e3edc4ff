// Causal contexts as clients see them: opaque, bounded, checksummed bytes. The checksum is bound to
// the bucket and key, since counters are node-wide and the context of one key would falsely claim
// to have seen writes of another.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "lattice/causal_context.h"

namespace eddy::wire {

// Room for every context of CausalContext::kIntervalsMax intervals, so that what a reader is given
// a writer may pass.
inline constexpr size_t kContextTokenBytesMax = 160 * 1024;

// token = version(1 byte, = 1) context checksum(u64: XXH3-64 of all before it, seeded by bucket and
// key). The empty context is the empty token.
std::string EncodeContextToken(const lattice::CausalContext& context, std::string_view bucket,
                               std::string_view key);
// kInvalidArgument, saying what to do, for a token that is damaged, of another key, or too long.
[[nodiscard]] Result<lattice::CausalContext> DecodeContextToken(std::string_view token,
                                                                std::string_view bucket,
                                                                std::string_view key);

// The form for people and text protocols: base64url without padding.
std::string ContextTokenToText(std::string_view token);
[[nodiscard]] Result<std::string> ContextTokenFromText(std::string_view text);

}  // namespace eddy::wire
