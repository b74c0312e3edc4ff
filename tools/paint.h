// Colours, for terminals alone, and not where NO_COLOR is set (no-color.org). A painted text is
// longer than it looks: it goes into no table.
#pragma once

#include <string>
#include <string_view>

#include "tools/output.h"

namespace eddy::tools {

enum class Paint { kGood, kWarning, kBad, kFaint };

std::string Painted(const Output& output, Paint paint, std::string_view text);

}  // namespace eddy::tools
