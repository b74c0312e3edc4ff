#include "wire/context_token.h"

#include "base/base64.h"
#include "base/bytes.h"
#include "base/hash.h"

namespace eddy::wire {

namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kChecksumBytes = 8;
uint64_t Checksum(std::string_view bytes, std::string_view bucket, std::string_view key) {
  return Hash64(bytes, Hash64(key, Hash64(bucket)));
}

}  // namespace

std::string EncodeContextToken(const lattice::CausalContext& context, std::string_view bucket,
                               std::string_view key) {
  std::string token;
  if (context.empty()) return token;
  AppendU8(&token, kVersion);
  context.AppendTo(&token);
  AppendU64(&token, Checksum(token, bucket, key));
  return token;
}

Result<lattice::CausalContext> DecodeContextToken(std::string_view token, std::string_view bucket,
                                                  std::string_view key) {
  if (token.empty()) return lattice::CausalContext{};
  if (token.size() > kContextTokenBytesMax) {
    return Fail(Code::kInvalidArgument,
                "the context is longer than any that Eddy gives out; pass the context of a read "
                "of this key");
  }
  const auto damaged = [] {
    return Fail(Code::kInvalidArgument,
                "the context is damaged or belongs to another key; read the key again and pass the "
                "context of that reply");
  };
  if (token.size() <= kChecksumBytes) return damaged();
  const std::string_view checked = token.substr(0, token.size() - kChecksumBytes);
  if (ByteReader(token.substr(checked.size())).U64() != Checksum(checked, bucket, key)) {
    return damaged();
  }
  ByteReader reader(checked);
  if (reader.U8() != kVersion) {
    return Fail(Code::kInvalidArgument,
                "the context has a form that this version does not know; read the key again and "
                "pass the context of that reply");
  }
  auto context = lattice::CausalContext::ReadFrom(&reader);
  if (!context || !reader.AtEnd() || context->empty()) return damaged();
  return context;
}

std::string ContextTokenToText(std::string_view token) { return EncodeBase64(token, Base64::kUrl); }

Result<std::string> ContextTokenFromText(std::string_view text) {
  auto token = DecodeBase64(text, Base64::kUrl);
  if (!token) {
    return Fail(Code::kInvalidArgument,
                "the context is not base64url as Eddy writes it; copy the whole of it");
  }
  return *std::move(token);
}

}  // namespace eddy::wire
