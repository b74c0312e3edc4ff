#include "tools/paint.h"

#include <cstdlib>

#include <fmt/format.h>

namespace eddy::tools {

std::string Painted(const Output& output, Paint paint, std::string_view text) {
  const char* const refused = std::getenv("NO_COLOR");
  const bool wanted = refused == nullptr || *refused == '\0';
  if (!output.out_is_terminal() || !wanted) return std::string(text);
  int code = 2;
  if (paint == Paint::kGood) code = 32;
  if (paint == Paint::kWarning) code = 33;
  if (paint == Paint::kBad) code = 31;
  return fmt::format("\033[{}m{}\033[0m", code, text);
}

}  // namespace eddy::tools
