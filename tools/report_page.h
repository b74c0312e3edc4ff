// Reports as pages of HTML that load nothing: what the pages have in common, and their data put
// into them. A page says where, in comments: STYLE in its style element, DATA and HELPERS (`$`,
// `count`, `make`, `nice`) in its script. Pure.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace eddy::tools {

// `page` has /*STYLE*/, /*HELPERS*/ and /*DATA*/null, each once.
std::string ReportPage(std::string_view page, const nlohmann::ordered_json& data);

}  // namespace eddy::tools
