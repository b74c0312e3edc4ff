#include "tools/load_mix.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/nearest.h"
#include "base/text.h"

namespace eddy::tools {

namespace {

constexpr std::string_view kKindNames[kLoadKinds] = {"read", "update", "insert", "scan", "rmw"};
constexpr uint32_t kPartsMax = 1'000'000;

struct YcsbWorkload {
  char letter;
  LoadKind most;
  uint32_t most_parts;
  LoadKind rest;
  KeyDistribution distribution;
};

constexpr YcsbWorkload kYcsb[] = {
    {'a', LoadKind::kRead, 50, LoadKind::kUpdate, KeyDistribution::kZipfian},
    {'b', LoadKind::kRead, 95, LoadKind::kUpdate, KeyDistribution::kZipfian},
    {'c', LoadKind::kRead, 100, LoadKind::kRead, KeyDistribution::kZipfian},
    {'d', LoadKind::kRead, 95, LoadKind::kInsert, KeyDistribution::kLatest},
    {'e', LoadKind::kScan, 95, LoadKind::kInsert, KeyDistribution::kZipfian},
    {'f', LoadKind::kRead, 50, LoadKind::kReadModifyWrite, KeyDistribution::kZipfian},
};

}  // namespace

std::string_view NameOf(LoadKind kind) { return kKindNames[static_cast<size_t>(kind)]; }

LoadMix::LoadMix(std::string name, LoadKind kind) : name_(std::move(name)) { Add(kind, 1); }

std::optional<LoadMix> LoadMix::Ycsb(std::string_view letter) {
  for (const YcsbWorkload& workload : kYcsb) {
    if (letter != std::string_view(&workload.letter, 1)) continue;
    LoadMix mix(fmt::format("ycsb-{}", workload.letter));
    mix.distribution_ = workload.distribution;
    mix.Add(workload.most, workload.most_parts);
    mix.Add(workload.rest, 100 - workload.most_parts);
    return mix;
  }
  return std::nullopt;
}

Result<LoadMix> LoadMix::Parse(std::string_view text) {
  LoadMix mix{std::string(text)};
  const std::string_view all = text;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    const auto* kind = std::ranges::find(kKindNames, name);
    if (kind == std::end(kKindNames)) {
      const std::vector<std::string> known(std::begin(kKindNames), std::end(kKindNames));
      const auto nearest = Nearest(name, known);
      return Fail(
          Code::kInvalidArgument,
          fmt::format("{} is no kind of operation{}: read, update, insert, scan and rmw are, "
                      "each with its part, as in read=80,update=20",
                      Quoted(name),
                      nearest ? fmt::format("; did you mean {}?", *nearest) : std::string()));
    }
    uint32_t parts = 0;
    const std::string_view digits =
        equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1);
    const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), parts);
    if (end.ec != std::errc() || end.ptr != digits.data() + digits.size() || parts > kPartsMax) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("{} needs its part of the whole, a number up to {}, as in {}=50",
                              Quoted(part), kPartsMax, name));
    }
    const auto which = static_cast<LoadKind>(kind - std::begin(kKindNames));
    if (mix.Has(which)) {
      return Fail(Code::kInvalidArgument, fmt::format("{} is there twice", Quoted(name)));
    }
    mix.Add(which, parts);
  }
  if (mix.whole_ == 0) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{} has no operations: write it as in read=80,update=20", Quoted(all)));
  }
  return mix;
}

void LoadMix::Add(LoadKind kind, uint32_t parts) {
  parts_[static_cast<size_t>(kind)] += parts;
  whole_ += parts;
}

LoadKind LoadMix::Draw(Random* random) const {
  uint64_t draw = random->Below(whole_);
  for (size_t kind = 0;; kind++) {
    if (draw < parts_[kind]) return static_cast<LoadKind>(kind);
    draw -= parts_[kind];
  }
}

Status LoadMix::CheckDoor(Door door) const {
  if (!Has(LoadKind::kScan) || door == Door::kResp) return {};
  return Fail(Code::kUnsupported,
              fmt::format("{} has scans, and the {} door has no request for several keys: "
                          "--door resp reads them with MGET",
                          name_, NameOf(door)));
}

}  // namespace eddy::tools
