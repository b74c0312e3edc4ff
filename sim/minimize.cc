#include "sim/minimize.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace eddy::sim {

namespace {

using std::chrono::seconds;

class Minimizer {
 public:
  Minimizer(const RunOptions& broken, const std::function<void(const Minimized&)>& smaller)
      : smaller_(smaller) {
    found_.options = broken;
    found_.options.listener = {};
    found_.report = RunWorld(found_.options);
    ++found_.runs;
    CHECK(!found_.report.violation.empty());
    // Another seed is not to bring kinds of faults that this one did without.
    const Plan plan = DrawPlan(found_.options.plan);
    for (size_t kind = 0; kind < kFaults; ++kind) {
      if (!plan.faults.every[kind]) found_.options.plan.without[kind] = true;
    }
  }

  Minimized Run() {
    // Each thing that is gone may make another one needless.
    while (Round()) {
    }
    SayNoMoreThanNeeded();
    return std::move(found_);
  }

 private:
  bool Round() {
    bool any = false;
    const Plan plan = DrawPlan(found_.options.plan);
    for (size_t kind = 0; kind < kFaults; ++kind) {
      if (!plan.faults.every[kind]) continue;
      any |= Try([&](RunOptions* options) { options->plan.without[kind] = true; });
    }
    const auto length = std::chrono::duration_cast<seconds>(found_.options.length);
    // Most of what a run does has nothing to do with what breaks.
    for (const seconds shorter : {length / 4, length / 2, length * 3 / 4, length - seconds(1)}) {
      if (shorter < seconds(1) || shorter >= length) continue;
      if (!Try([&](RunOptions* options) { options->length = shorter; })) continue;
      any = true;
      break;
    }
    if (plan.nodes > 1) {
      any |= Try([&](RunOptions* options) { options->plan.nodes = plan.nodes - 1; });
    }
    const uint32_t rate = plan.workload.operations_per_second;
    if (rate > 1) {
      any |= Try([&](RunOptions* options) { options->plan.operations_per_second = rate / 2; });
    }
    return any;
  }

  // What the seed does without by itself need not be left out.
  void SayNoMoreThanNeeded() {
    for (size_t kind = 0; kind < kFaults; ++kind) {
      PlanOptions options = found_.options.plan;
      options.without[kind] = false;
      if (!DrawPlan(options).faults.every[kind]) found_.options.plan = options;
    }
  }

  static constexpr uint64_t kSeedsTried = 40;

  template <class Change>
  bool Try(Change change) {
    RunOptions options = found_.options;
    change(&options);
    // What is taken away changes the luck of the rest: a rare break may need another seed.
    for (uint64_t tries = 0; tries < kSeedsTried; ++tries) {
      Report report = RunWorld(options);
      ++found_.runs;
      if (report.violation.empty()) {
        ++options.plan.seed;
        continue;
      }
      found_.options = std::move(options);
      found_.report = std::move(report);
      if (smaller_) smaller_(found_);
      return true;
    }
    return false;
  }

  const std::function<void(const Minimized&)>& smaller_;
  Minimized found_;
};

}  // namespace

Minimized Minimize(const RunOptions& broken, const std::function<void(const Minimized&)>& smaller) {
  return Minimizer(broken, smaller).Run();
}

}  // namespace eddy::sim
