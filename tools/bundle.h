// A debug bundle: what somebody who helps needs to see of a cluster, as one tar file, without
// secrets, keys or values. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/time.h"

namespace eddy::tools {

struct BundleFile {
  std::string name;  // at most 99 bytes, with '/' between folders
  std::string bytes;
};

// The files as a tar archive (POSIX ustar), all of that time.
std::string TarOf(const std::vector<BundleFile>& files, WallTime time);

// Replaces what may be secret by "(removed)": the values of members and settings whose names speak
// of passwords, secrets, tokens, credentials or private keys.
void RemoveSecrets(nlohmann::ordered_json* json);
// The same in lines of text: what follows such a word and '=' or ':'; and the user and password of
// an address.
std::string WithoutSecrets(std::string_view text);

}  // namespace eddy::tools
