#include "server/seed.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/core.h>

namespace eddy::server {

namespace {

std::unexpected<Error> BadSeed(std::string_view text, std::string_view what) {
  return Fail(Code::kInvalidArgument,
              fmt::format("seed '{}' {}; a seed is name@host:port/zone, such as "
                          "n1@10.0.0.1:7401/rack1 (the zone may be left out, an IPv6 address "
                          "stands in brackets)",
                          text, what));
}

}  // namespace

Result<Seed> ParseSeed(std::string_view text) {
  std::string_view rest = text;
  Seed seed;
  const size_t at = rest.find('@');
  if (at == std::string_view::npos || at == 0) return BadSeed(text, "has no name before an '@'");
  seed.name = rest.substr(0, at);
  rest.remove_prefix(at + 1);

  if (rest.starts_with('[')) {
    const size_t close = rest.find(']');
    if (close == std::string_view::npos) return BadSeed(text, "has no ']' after its '['");
    seed.host = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
  } else {
    const size_t end = std::min(rest.find_first_of(":/"), rest.size());
    seed.host = rest.substr(0, end);
    rest.remove_prefix(end);
  }
  if (seed.host.empty()) return BadSeed(text, "has no host");

  if (const size_t slash = rest.find('/'); slash != std::string_view::npos) {
    seed.zone = rest.substr(slash + 1);
    rest = rest.substr(0, slash);
  }
  if (!rest.starts_with(':')) return BadSeed(text, "has no port");
  rest.remove_prefix(1);
  const auto [end, failed] =
      std::from_chars(rest.data(), rest.data() + rest.size(), seed.peer_port);
  if (failed != std::errc{} || end != rest.data() + rest.size() || seed.peer_port == 0) {
    return BadSeed(text, fmt::format("has the port '{}', which is not within 1 to 65535", rest));
  }
  return seed;
}

std::string FormatSeed(const Seed& seed) {
  const bool v6 = seed.host.contains(':');
  return fmt::format("{}@{}{}{}:{}{}{}", seed.name, v6 ? "[" : "", seed.host, v6 ? "]" : "",
                     seed.peer_port, seed.zone.empty() ? "" : "/", seed.zone);
}

Result<std::vector<Seed>> ParseSeeds(std::string_view text) {
  std::vector<Seed> seeds;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    auto seed = ParseSeed(text.substr(0, comma));
    if (!seed) return std::unexpected(std::move(seed.error()));
    seeds.push_back(*std::move(seed));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return seeds;
}

Status CheckSeeds(const std::vector<Seed>& seeds) {
  for (const Seed& seed : seeds) {
    for (const Seed& other : seeds) {
      if (&other == &seed) break;
      if (other.name == seed.name) {
        return Fail(Code::kInvalidArgument,
                    fmt::format("two seeds have the name '{}': give each its own", seed.name));
      }
      if (other.host == seed.host && other.peer_port == seed.peer_port) {
        return Fail(Code::kInvalidArgument,
                    fmt::format("the seeds '{}' and '{}' have the same host and port: give each "
                                "its own",
                                other.name, seed.name));
      }
    }
  }
  return {};
}

}  // namespace eddy::server
