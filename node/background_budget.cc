#include "node/background_budget.h"

#include <algorithm>

namespace eddy::node {

bool BackgroundBudget::Take(MonotonicTime now, size_t bytes) {
  const bool fits =
      items_in_flight_ == 0 || (items_in_flight_ < options_.items_in_flight_max &&
                                bytes_in_flight_ + bytes <= options_.bytes_in_flight_max);
  if (!fits) return false;
  if (options_.bytes_per_second > 0) {
    const auto rate = static_cast<int64_t>(Rate());
    const int64_t burst = rate * kBurst.count() / Duration::period::den;
    const Duration since = std::min<Duration>(now - credited_at_, kSlot);
    credit_ = std::min(burst, credit_ + rate * since.count() / Duration::period::den);
    credited_at_ = now;
    if (credit_ <= 0) return false;
    credit_ -= static_cast<int64_t>(bytes);
  }
  ++items_in_flight_;
  bytes_in_flight_ += bytes;
  return true;
}

void BackgroundBudget::Return(size_t bytes, size_t used) {
  --items_in_flight_;
  bytes_in_flight_ -= bytes;
  if (options_.bytes_per_second > 0) credit_ += static_cast<int64_t>(bytes - std::min(used, bytes));
}

void BackgroundBudget::OnForeground(MonotonicTime now, Duration latency) {
  while (now - slot_began_at_ >= kSlot) {
    // After a long silence every slot is old.
    const bool long_ago = now - slot_began_at_ >= kSlots * kSlot;
    slot_began_at_ = long_ago ? now : slot_began_at_ + kSlot;
    if (long_ago) latencies_ = {};
    slot_ = (slot_ + 1) % kSlots;
    latencies_[slot_] = Histogram();
  }
  latencies_[slot_].Add(static_cast<uint64_t>(latency.count()));
}

void BackgroundBudget::Tick(MonotonicTime now) {
  if (now - judged_at_ < kJudgeEvery) return;
  judged_at_ = now;
  Histogram minute;
  if (now - slot_began_at_ < kSlots * kSlot) {
    for (const Histogram& slot : latencies_) minute.Join(slot);
  }
  foreground_p99_ = Duration(static_cast<int64_t>(minute.Quantile(9'900)));
  share_ = foreground_p99_ > options_.foreground_p99_max ? std::max(kShareMin, share_ / 2)
                                                         : std::min(kWhole, share_ + kShareStep);
}

}  // namespace eddy::node
