#include "server/fault_table.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

namespace eddy::server {

Status FaultTable::Set(std::vector<Rule> rules) {
  if (rules.size() > kRulesMax) {
    return Fail(Code::kInvalidArgument, fmt::format("at most {} rules are kept", kRulesMax));
  }
  for (const Rule& rule : rules) {
    if (rule.lose_per_mille > kLosePerMilleMax) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("lose_per_mille must be within 0 to {}", kLosePerMilleMax));
    }
    if (rule.delay < Duration::zero() || rule.delay > kDelayMax) {
      return Fail(Code::kInvalidArgument, fmt::format("delay_ms must be within 0 to {}",
                                                      kDelayMax / std::chrono::milliseconds(1)));
    }
  }
  rules_ = std::move(rules);
  return {};
}

FaultTable::Verdict FaultTable::Judge(std::string_view host, uint16_t port, Direction direction) {
  Verdict verdict;
  for (const Rule& rule : rules_) {
    if (rule.port != port || rule.host != host) continue;
    if (!(direction == Direction::kOut ? rule.out : rule.in)) continue;
    verdict.drop = verdict.drop || rule.drop;
    verdict.lose = verdict.lose || (rule.lose_per_mille > 0 &&
                                    random_.Chance(rule.lose_per_mille, kLosePerMilleMax));
    verdict.delay = std::max(verdict.delay, rule.delay);
  }
  if (verdict.drop) {
    ++counters_.dropped;
  } else if (verdict.lose) {
    ++counters_.lost;
  } else if (verdict.delay > Duration::zero()) {
    ++counters_.delayed;
  }
  return verdict;
}

bool FaultTable::Cuts(std::string_view host, uint16_t port) const {
  return std::ranges::any_of(rules_, [&](const Rule& rule) {
    return rule.drop && (rule.out || rule.in) && rule.port == port && rule.host == host;
  });
}

}  // namespace eddy::server
