// What a node can be told: each key of the configuration file, what it takes, and where in the
// Config it goes. The file and the environment are read by this one list.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <nlohmann/json.hpp>
#include <toml++/toml.h>

#include "node/bucket.h"
#include "server/config.h"

namespace eddy::server {

// A key that may stand in a section.
struct Field {
  std::string_view key;
  std::string expects;
  // Changes nothing and returns false where the node is not what is expected.
  std::function<bool(const toml::node&)> read;
  // What it is now, as the file would have it; null: not set.
  std::function<nlohmann::ordered_json()> show;
};

struct Section {
  std::string_view name;
  std::vector<Field> fields;
};

// All but the seeds, which are a list, and the buckets, whose names are the user's. The first
// section is the top of the file. The fields write to `config`, which outlives them.
std::vector<Section> SectionsOf(Config* config);
std::vector<Field> BucketFields(node::BucketProperties* bucket);

}  // namespace eddy::server
