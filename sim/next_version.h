// The version of the protocol that will come after this one, as far as a node of this version can
// meet it: whatever it says carries fields behind those that are known (docs/PROTOCOL.md, "How the
// protocol changes"). Its schema is made of this one's when Eddy is built, with a field more in
// every table.
#pragma once

#include <string>
#include <string_view>

namespace eddy::sim {

// The same message between nodes as the next version says it. Requires the payload of a frame that
// this version has encoded.
std::string InNextVersion(std::string_view payload);

}  // namespace eddy::sim
