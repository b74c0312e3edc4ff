// Rows of text as lines whose columns are as wide as what stands in them. Pure.
#pragma once

#include <string>
#include <vector>

namespace eddy::tools {

// All rows have as many cells; the last column is not filled up.
std::vector<std::string> FormatTable(const std::vector<std::vector<std::string>>& rows);

}  // namespace eddy::tools
