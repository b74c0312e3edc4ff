// How much more may fail: what a layout and the members' own words say of copies, zones and proof.
// Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ring/layout.h"
#include "tools/health.h"

namespace eddy::tools {

// How many, whichever they are. A member without a zone counts as one of its own.
struct Tolerance {
  uint32_t nodes = 0;
  uint32_t zones = 0;

  friend bool operator==(const Tolerance&, const Tolerance&) = default;
};

// For keys with the default n, and r and w majorities. Only members that are ready count.
struct Safety {
  uint32_t zones = 0;  // that there are
  // May be away with every key still readable and writable.
  Tolerance serving;
  // May be lost for ever, with their disks, and nothing that was acknowledged is: by w alone, of
  // which some may be with those that are not ready.
  Tolerance kept;
  // The same of what was there when all replicas were last found equal.
  Tolerance kept_proven;
  // Since when every partition is known to have been equal on all its owners; nullopt: of some it
  // is not known.
  std::optional<uint64_t> equal_seconds_ago;
  std::vector<std::string> unproven;  // the members that cannot say so
};

Safety JudgeSafety(const ring::Layout& layout, const std::vector<NodeView>& views);

// For whom hints wait, and where: of each member that answered, the names of those that it may hold
// hints for.
struct HintsAt {
  std::string node;
  std::vector<std::string> owners;
};

// One sentence each, for people.
std::string SayServing(const Safety& safety);
std::string SayKept(const Safety& safety);
std::string SayProven(const Safety& safety);
std::string SayHints(const std::vector<HintsAt>& hints);

}  // namespace eddy::tools
