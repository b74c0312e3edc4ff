// Whether a key has converged, in words: from what each of its owners holds and what others keep
// for them. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace eddy::tools {

struct OwnersCopy {
  std::string node;
  // Why it did not answer; empty: it did.
  std::string silence;
  // Its row cannot be trusted, and why.
  std::string rot;
  // Of the record; nullopt: it holds none.
  std::optional<std::string> digest;
};

struct KeptHint {
  std::string holder;
  std::string owner;
  std::string digest;
};

struct KeyVerdict {
  bool converged = false;
  std::vector<std::string> sentences;
};

// `compares`: whether owners compare their records by themselves. `repair`: the command that makes
// them do it at once.
KeyVerdict JudgeKey(const std::vector<OwnersCopy>& owners, const std::vector<KeptHint>& hints,
                    bool compares, const std::string& repair);

}  // namespace eddy::tools
