// Of what a load consists: the share of each kind of operation, and by which law it chooses keys.
// Those of YCSB's core workloads (B. F. Cooper et al., "Benchmarking cloud serving systems with
// YCSB", SoCC 2010) are there by name. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/status.h"
#include "tools/key_chooser.h"
#include "tools/load_protocol.h"

namespace eddy::tools {

enum class LoadKind {
  kRead,
  kUpdate,  // of a key that is there; what it holds is not looked at
  kInsert,  // of the next key
  // Several keys with successive numbers in one request. A ring keeps keys in the order of their
  // hashes, so there is no range to walk: each key is read from its own replicas.
  kScan,
  // A read and then a write of the same key, one operation. Where the door can, the write carries
  // the causal context of what was read.
  kReadModifyWrite,
};
inline constexpr size_t kLoadKinds = 5;
// YCSB's: a scan reads 1 to so many keys, each number as often as any other.
inline constexpr uint32_t kScanKeysMax = 100;

// "read", "update", "insert", "scan", "rmw".
std::string_view NameOf(LoadKind kind);

class LoadMix {
 public:
  // Of one kind, keys uniform.
  LoadMix(std::string name, LoadKind kind);
  // "a" to "f".
  static std::optional<LoadMix> Ycsb(std::string_view letter);
  // "read=80,update=15,insert=5": the parts of the whole, in any unit. kInvalidArgument says what
  // is wrong with it.
  [[nodiscard]] static Result<LoadMix> Parse(std::string_view text);

  const std::string& name() const { return name_; }
  KeyDistribution distribution() const { return distribution_; }
  void set_distribution(KeyDistribution distribution) { distribution_ = distribution; }
  bool Has(LoadKind kind) const { return parts_[static_cast<size_t>(kind)] > 0; }

  LoadKind Draw(Random* random) const;

  // kUnsupported, with what to do instead, where a door has no request for a part of this.
  [[nodiscard]] Status CheckDoor(Door door) const;

 private:
  explicit LoadMix(std::string name) : name_(std::move(name)) {}
  void Add(LoadKind kind, uint32_t parts);

  std::string name_;
  KeyDistribution distribution_ = KeyDistribution::kUniform;
  std::array<uint32_t, kLoadKinds> parts_{};
  uint32_t whole_ = 0;
};

}  // namespace eddy::tools
