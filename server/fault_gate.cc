#include "server/fault_gate.h"

#include <algorithm>
#include <utility>

namespace eddy::server {

FaultGate::Way FaultGate::Admit(const FaultTable::Verdict& verdict, MonotonicTime now,
                                wire::PeerMessage* message) {
  if (verdict.drop) {
    has_gap_ = true;
    return Way::kDropped;
  }
  if (verdict.lose || has_gap_) return Way::kBreak;
  if (verdict.delay == Duration::zero() && kept_.empty()) return Way::kPass;
  if (kept_.size() >= kKeptMax) return Way::kBreak;
  const MonotonicTime due = now + verdict.delay;
  kept_.push_back({kept_.empty() ? due : std::max(due, kept_.back().due), std::move(*message)});
  return Way::kKept;
}

std::optional<wire::PeerMessage> FaultGate::Next(MonotonicTime now) {
  if (kept_.empty() || kept_.front().due > now) return std::nullopt;
  wire::PeerMessage message = std::move(kept_.front().message);
  kept_.pop_front();
  return message;
}

void FaultGate::Reset() {
  kept_.clear();
  has_gap_ = false;
}

}  // namespace eddy::server
