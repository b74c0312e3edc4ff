// What settings there are, and what they are now: for `eddyd --describe-config`, and for the admin
// call config.show. No setting is a secret; one that became one would have to be left out here.
#pragma once

#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "server/config.h"

namespace eddy::server {

// One sentence on what the key of a section is for ("" is the top of the file; "bucket" stands for
// [bucket_defaults] and [bucket.NAME]). Empty for one that is not known.
std::string_view AboutSetting(std::string_view section, std::string_view key);

// {"settings":[{"section","key","variable","expects","default","about"},..]}, in the order of the
// file.
nlohmann::ordered_json DescribeConfig();

// {"settings":[{"section","key","value","default"},..],"seeds":[..]}. The value is as the node goes
// by it, with what follows from other settings filled in.
nlohmann::ordered_json ShowConfig(const Config& config);

}  // namespace eddy::server
