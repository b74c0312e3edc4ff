// Base64 (RFC 4648) in its two alphabets, for bytes that must pass through text. The decoder takes
// exactly what the encoder gives: one byte string, one text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace eddy {

enum class Base64 {
  kStandard,  // '+' and '/', padded with '=': what other programs read and write
  kUrl,       // '-' and '_', not padded: safe in arguments, URLs and file names
};

std::string EncodeBase64(std::string_view bytes, Base64 alphabet);
// Nothing for a character, a padding or a length that EncodeBase64 would not have written.
std::optional<std::string> DecodeBase64(std::string_view text, Base64 alphabet);

}  // namespace eddy
