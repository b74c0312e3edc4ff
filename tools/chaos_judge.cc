#include "tools/chaos_judge.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

namespace eddy::tools {

namespace {

using lattice::CausalContext;
using lattice::Dot;
using Outcome = ChaosOperation::Outcome;

constexpr size_t kReplicasMax = 7;  // more count as so many
// Two clocks of one machine, and the milliseconds of a timestamp.
constexpr Duration kClockMargin = std::chrono::milliseconds(50);

constexpr const char* kInvented = "no value from nowhere";
constexpr const char* kForgotten = "seen is shown or replaced";
constexpr const char* kNotConcurrent = "siblings are concurrent";
constexpr const char* kDishonest = "a context is honest";
constexpr const char* kBehind = "reads do not go back";
constexpr const char* kResurrected = "what is gone stays gone";
constexpr const char* kNotLast = "the last writer wins";
constexpr const char* kLost = "nothing is lost";
constexpr const char* kUnequal = "all replicas are equal";

std::string Describe(const Dot& dot) {
  return fmt::format("{}:{}", dot.actor.ToHex().substr(0, 8), dot.counter);
}

std::string Describe(const CausalContext& context) {
  std::string text = "{";
  for (const lattice::Interval& interval : context.intervals()) {
    text += fmt::format("{}{}:({},{}]", text.size() > 1 ? " " : "",
                        interval.actor.ToHex().substr(0, 8), interval.after, interval.last);
  }
  return text + "}";
}

double Seconds(Duration at) { return std::chrono::duration<double>(at).count(); }

std::string Describe(const ChaosOperation& operation) {
  static constexpr std::array<std::string_view, 3> kKinds = {"get", "put", "delete"};
  static constexpr std::array<std::string_view, 3> kOutcomes = {"done", "not done", "unknown"};
  std::string text = fmt::format(
      "{:.3f}-{:.3f} s {}{} #{} q={} {}", Seconds(operation.began), Seconds(operation.ended),
      operation.final ? "final " : "", kKinds[static_cast<size_t>(operation.kind)],
      operation.number, operation.quorum, kOutcomes[static_cast<size_t>(operation.outcome)]);
  if (operation.outcome != Outcome::kDone) {
    text += fmt::format(" ({})", IsCode(static_cast<uint8_t>(operation.error))
                                     ? CodeName(operation.error)
                                     : "no answer");
  } else {
    text += fmt::format(" by {} owners", operation.primaries);
  }
  if (operation.final) text += fmt::format(" through node {}", operation.node);
  if (operation.kind != ChaosKind::kGet) text += ", had seen " + Describe(operation.seen);
  if (operation.outcome == Outcome::kDone) text += ", told " + Describe(operation.told);
  if (operation.kind == ChaosKind::kGet && operation.outcome == Outcome::kDone) {
    text += ", showed";
    for (const ChaosShown& shown : operation.shown) {
      text += fmt::format(" {}=#{}@{}", Describe(shown.dot), shown.writer, shown.timestamp.value);
    }
    if (operation.shown.empty()) text += " nothing";
  }
  return text;
}

using Operations = std::vector<const ChaosOperation*>;

// One key's history, judged by itself: contexts and dots of other keys say nothing about it.
class KeyJudge {
 public:
  KeyJudge(const ChaosHistory& history, const ChaosKey& key, const Operations& operations,
           const std::unordered_map<uint64_t, const ChaosOperation*>& by_number, bool converged,
           ChaosVerdict* verdict)
      : history_(history),
        key_(key),
        operations_(operations),
        by_number_(by_number),
        converged_(converged),
        verdict_(verdict) {}

  void Run() {
    for (const ChaosOperation* operation : operations_) LearnDots(*operation);
    Sweep();
    if (converged_) JudgeEnd();
  }

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);

  struct Write {
    Dot dot;
    const ChaosOperation* by = nullptr;
    std::optional<Timestamp> timestamp;
    bool replaced = false;
    // By how many owners it was told to be gone since the last loss of a disk, and when first.
    std::array<std::optional<Duration>, kReplicasMax + 1> gone_at{};
    bool gone = false;  // for good: told by a quorum, or at least one disk more than can be lost
  };
  // What has been told with so many owners behind it since the last loss of a disk.
  using Told = std::array<CausalContext, kReplicasMax + 1>;

  struct Event {
    Duration at;
    bool ends = false;
    const ChaosOperation* operation;
    size_t place;  // of the operation
  };

  void Break(const char* promise, const ChaosOperation& by, std::string text) {
    ++verdict_->broken[promise];
    if (verdict_->violations.size() >= ChaosVerdict::kViolationsMax) return;
    ChaosViolation violation{.promise = promise,
                             .text = fmt::format("{}/{}: {} #{} at {:.3f} s {}", key_.bucket,
                                                 key_.key, by.final ? "final read" : "operation",
                                                 by.number, Seconds(by.ended), text),
                             .operations = {}};
    for (const ChaosOperation* operation : operations_) {
      if (operation->began <= by.ended) violation.operations.push_back(Describe(*operation));
    }
    const size_t count = violation.operations.size();
    if (count > ChaosVerdict::kOperationsShown) {
      violation.operations.erase(
          violation.operations.begin(),
          violation.operations.end() - static_cast<ptrdiff_t>(ChaosVerdict::kOperationsShown));
    }
    verdict_->violations.push_back(std::move(violation));
  }

  std::string Name(const Write& write) const {
    return fmt::format("{} (put #{})", Describe(write.dot), write.by->number);
  }

  // --- which write is which

  // The dot of an acknowledged put: what it was told and had not seen. None where that is more than
  // one, as it may be where the last writer wins.
  static std::optional<Dot> OwnDot(const ChaosOperation& put) {
    std::optional<Dot> own;
    for (const lattice::Interval& interval : put.told.intervals()) {
      const Dot dot{interval.actor, interval.last};
      if (put.seen.Covers(dot)) continue;
      if (own) return std::nullopt;
      own = dot;
    }
    return own;
  }

  Write* Add(const Dot& dot, const ChaosOperation& put, const ChaosOperation& by) {
    const auto [at, fresh] = place_of_.try_emplace(dot, writes_.size());
    if (fresh) {
      writes_.push_back({.dot = dot, .by = &put});
      written_by_[put.number].push_back(at->second);
    }
    Write* write = &writes_[at->second];
    if (write->by != &put) {
      Break(kInvented, by,
            fmt::format("shows {} as the value of put #{}, which is that of put #{}", Describe(dot),
                        put.number, write->by->number));
    }
    return write;
  }

  void LearnDots(const ChaosOperation& operation) {
    if (operation.outcome != Outcome::kDone) return;
    if (operation.kind == ChaosKind::kPut) {
      if (const auto own = OwnDot(operation)) Add(*own, operation, operation);
      return;
    }
    for (const ChaosShown& shown : operation.shown) {
      const auto writer = by_number_.find(shown.writer);
      if (writer == by_number_.end() || writer->second->kind != ChaosKind::kPut ||
          &history_.keys[writer->second->key] != &key_ || writer->second->began > operation.ended) {
        Break(kInvented, operation,
              fmt::format("shows {} with a value that nobody had written there",
                          Describe(shown.dot)));
        continue;
      }
      const ChaosOperation& put = *writer->second;
      if (put.outcome == Outcome::kNotDone) {
        Break(kInvented, operation,
              fmt::format("shows {}, the value of put #{}, which was said not to be done",
                          Describe(shown.dot), put.number));
      }
      Write* write = Add(shown.dot, put, operation);
      if (write->timestamp.value_or(shown.timestamp) != shown.timestamp) {
        Break(kInvented, operation, fmt::format("shows {} with another time", Name(*write)));
      }
      write->timestamp = shown.timestamp;
    }
  }

  // --- in the order of time

  void Sweep() {
    std::vector<Event> events;
    for (size_t i = 0; i < operations_.size(); ++i) {
      const ChaosOperation* operation = operations_[i];
      events.push_back({operation->began, false, operation, i});
      if (operation->outcome == Outcome::kDone) {
        events.push_back({operation->ended, true, operation, i});
      }
    }
    std::ranges::stable_sort(events, {},
                             [](const Event& event) { return std::pair(event.at, event.ends); });
    told_when_begun_.resize(operations_.size());
    size_t losses = 0;
    for (const Event& event : events) {
      while (losses < history_.disk_losses.size() && history_.disk_losses[losses] <= event.at) {
        last_loss_ = history_.disk_losses[losses++];
        ForgetTold();
      }
      if (event.ends) {
        End(*event.operation, event.place);
      } else {
        Begin(*event.operation, event.place);
      }
    }
  }

  void ForgetTold() {
    told_ = {};
    for (Write& write : writes_) write.gone_at = {};
    not_gone_.assign(kReplicasMax + 1, begun_);
  }

  void Begin(const ChaosOperation& operation, size_t place) {
    if (operation.kind == ChaosKind::kGet) {
      if (operation.outcome == Outcome::kDone) told_when_begun_[place] = told_;
      return;
    }
    if (operation.outcome == Outcome::kNotDone) return;
    // Where the last writer wins nobody asks for these, and blind writes would let them grow.
    std::erase_if(live_, [&](size_t index) {
      if (key_.last_writer) return true;
      if (!operation.seen.Covers(writes_[index].dot)) return false;
      writes_[index].replaced = true;
      return true;
    });
    if (const auto written = written_by_.find(operation.number); written != written_by_.end()) {
      for (const size_t index : written->second) {
        live_.push_back(index);
        begun_.push_back(index);
        for (auto& list : not_gone_) list.push_back(index);
      }
    }
    replaced_.Join(operation.seen);
    issued_.push_back(&operation);
  }

  void End(const ChaosOperation& operation, size_t place) {
    if (operation.kind == ChaosKind::kGet) {
      JudgeRead(operation, told_when_begun_[place]);
      told_when_begun_[place] = {};
    } else if (operation.kind == ChaosKind::kPut && !key_.last_writer) {
      JudgePut(operation);
    }
    if (operation.kind == ChaosKind::kPut) acknowledged_.push_back(&operation);
    Remember(operation);
  }

  // What later reads have to agree with.
  void Remember(const ChaosOperation& operation) {
    CausalContext told = operation.told;
    if (operation.kind != ChaosKind::kGet) told.Join(operation.seen);
    const size_t strength = std::min<size_t>({operation.primaries, operation.quorum, kReplicasMax});
    // A write's acknowledgement holds in the end whoever kept it. Of a read, what one replica alone
    // showed may have gone with its disk.
    const bool binds = operation.kind != ChaosKind::kGet || strength >= 2;
    if (binds) told_for_good_.Join(told);
    if (operation.began <= last_loss_) {
      if (binds) MarkGone(operation, told, 0);
      return;
    }
    told_[strength].Join(told);
    MarkGone(operation, told, strength);
  }

  void MarkGone(const ChaosOperation& operation, const CausalContext& told, size_t strength) {
    // Where the last writer wins a read shows one of all, and a put has mostly seen nothing.
    if (operation.kind != ChaosKind::kDelete && key_.last_writer) return;
    const bool binds = operation.kind != ChaosKind::kGet || strength >= 2;
    std::erase_if(not_gone_[strength], [&](size_t index) {
      Write& write = writes_[index];
      if (!told.Covers(write.dot) || write.by == &operation) return false;
      for (const ChaosShown& shown : operation.shown) {
        if (shown.dot == write.dot) return false;
      }
      write.gone_at[strength] = operation.ended;
      write.gone = write.gone || binds;
      return true;
    });
  }

  // --- the promises

  void JudgePut(const ChaosOperation& put) {
    for (const size_t index : live_) {
      const Write& write = writes_[index];
      if (write.by == &put || !put.told.Covers(write.dot) || put.seen.Covers(write.dot)) continue;
      Break(kDishonest, put, fmt::format("claims to have seen {}, and had not", Name(write)));
    }
  }

  void JudgeRead(const ChaosOperation& read, const Told& told) {
    JudgeShown(read);
    if (key_.last_writer) {
      JudgeLastWriter(read);
    } else {
      for (const size_t index : live_) {
        const Write& write = writes_[index];
        if (!read.told.Covers(write.dot) || Shows(read, write.dot)) continue;
        Break(kForgotten, read,
              fmt::format("claims to have seen {}, which nobody replaced, and does not show it",
                          Name(write)));
      }
    }
    JudgeNotBehind(read, told);
  }

  static bool Shows(const ChaosOperation& read, const Dot& dot) {
    return std::ranges::find(read.shown, dot, &ChaosShown::dot) != read.shown.end();
  }

  void JudgeShown(const ChaosOperation& read) {
    for (const ChaosShown& later : read.shown) {
      if (!read.told.Covers(later.dot)) {
        Break(kForgotten, read,
              fmt::format("shows {}, and its context does not cover it", Describe(later.dot)));
      }
      const auto writer = by_number_.find(later.writer);
      if (writer == by_number_.end()) continue;
      for (const ChaosShown& earlier : read.shown) {
        if (earlier.dot != later.dot && writer->second->seen.Covers(earlier.dot)) {
          Break(kNotConcurrent, read,
                fmt::format("shows {} beside {}, whose writer had seen it", Describe(earlier.dot),
                            Describe(later.dot)));
        }
      }
    }
  }

  void JudgeLastWriter(const ChaosOperation& read) {
    if (read.shown.size() > 1) {
      Break(kNotLast, read, fmt::format("shows {} values", read.shown.size()));
      return;
    }
    const ChaosOperation* shown = nullptr;
    if (!read.shown.empty()) {
      const auto writer = by_number_.find(read.shown[0].writer);
      if (writer == by_number_.end()) return;
      shown = writer->second;
    }
    // The latest acknowledged writes first: it takes a few to find one that the read has seen.
    for (size_t i = acknowledged_.size(); i-- > 0;) {
      const ChaosOperation& put = *acknowledged_[i];
      const auto own = OwnDot(put);
      if (!own || !read.told.Covers(*own)) continue;
      // Whoever had seen it may have deleted it, and what it had not seen shows again.
      if (replaced_.Covers(*own)) return;
      if (shown != nullptr) {
        if (shown != &put && shown->outcome == Outcome::kDone &&
            shown->ended + kClockMargin + history_.clock_skew < put.began) {
          Break(kNotLast, read,
                fmt::format("shows put #{}, which was over before put #{} began, and claims to "
                            "have seen both",
                            shown->number, put.number));
        }
        return;
      }
      const bool deleted = std::ranges::any_of(issued_, [&](const ChaosOperation* issued) {
        return issued->kind == ChaosKind::kDelete &&
               (issued->outcome != Outcome::kDone || issued->ended > put.began);
      });
      if (!deleted) {
        Break(kForgotten, read,
              fmt::format("claims to have seen put #{}, which nobody deleted, and shows nothing",
                          put.number));
      }
      return;
    }
  }

  void JudgeNotBehind(const ChaosOperation& read, const Told& told) {
    // A loss since it began is known by now: it has emptied what was told.
    if (read.began <= last_loss_) return;
    const size_t owners = std::min<size_t>({read.primaries, read.quorum, kReplicasMax});
    for (size_t strength = 1; strength <= kReplicasMax; ++strength) {
      if (strength + owners <= read.n) continue;
      if (!read.told.Covers(told[strength])) {
        Break(kBehind, read,
              fmt::format("has seen {}, and {} had been told to somebody before it began",
                          Describe(read.told), Describe(told[strength])));
        return;
      }
      for (const ChaosShown& shown : read.shown) {
        const auto place = place_of_.find(shown.dot);
        if (place == place_of_.end()) continue;
        const Write& write = writes_[place->second];
        if (write.gone_at[strength] && *write.gone_at[strength] < read.began) {
          Break(kResurrected, read,
                fmt::format("shows {} again, which was gone at {:.3f} s", Name(write),
                            Seconds(*write.gone_at[strength])));
          return;
        }
      }
    }
  }

  // --- when all is healed

  void JudgeEnd() {
    const ChaosOperation* first = nullptr;
    std::set<uint8_t> unequal;
    for (const ChaosOperation* operation : operations_) {
      if (!operation->final || operation->outcome != Outcome::kDone) continue;
      if (first == nullptr) {
        first = operation;
        JudgeFinal(*first);
        continue;
      }
      const bool same =
          first->told == operation->told && std::ranges::equal(first->shown, operation->shown, {},
                                                               &ChaosShown::dot, &ChaosShown::dot);
      if (!same && unequal.insert(operation->node).second) {
        Break(kUnequal, *operation,
              fmt::format("through node {} differs from the one through node {}: {} and {}",
                          operation->node, first->node, Describe(operation->told),
                          Describe(first->told)));
      }
    }
    if (first == nullptr && !acknowledged_.empty()) {
      Break(kLost, *acknowledged_.back(), "was acknowledged, and its key cannot be read any more");
      verdict_->lost += acknowledged_.size();
    }
  }

  void JudgeFinal(const ChaosOperation& read) {
    uint64_t lost = 0;
    for (const ChaosOperation* put : acknowledged_) {
      const auto own = OwnDot(*put);
      if (!own) continue;
      const bool covered = read.told.Covers(*own);
      const Write& write = writes_[place_of_.at(*own)];
      const bool forgotten = !key_.last_writer && !write.replaced && !Shows(read, *own);
      if (covered && !forgotten) continue;
      ++lost;
      Break(kLost, read,
            fmt::format("{} put #{}, which was acknowledged at {:.3f} s",
                        covered ? "does not show" : "has not seen", put->number,
                        Seconds(put->ended)));
    }
    verdict_->lost += lost;
    if (lost == 0 && !read.told.Covers(told_for_good_)) {
      Break(kLost, read,
            fmt::format("has seen {}, and {} had been told to clients", Describe(read.told),
                        Describe(told_for_good_)));
    }
    for (const ChaosShown& shown : read.shown) {
      const auto place = place_of_.find(shown.dot);
      if (place == place_of_.end() || !writes_[place->second].gone) continue;
      Break(kResurrected, read,
            fmt::format("shows {} again, which was replaced or deleted",
                        Name(writes_[place->second])));
    }
  }

  const ChaosHistory& history_;
  const ChaosKey& key_;
  const Operations& operations_;
  const std::unordered_map<uint64_t, const ChaosOperation*>& by_number_;  // lookup only
  const bool converged_;
  ChaosVerdict* const verdict_;

  std::vector<Write> writes_;
  std::map<Dot, size_t> place_of_;
  std::map<uint64_t, std::vector<size_t>> written_by_;

  Duration last_loss_ = Duration(-1);
  Told told_;
  std::vector<Told> told_when_begun_;  // by operation
  CausalContext told_for_good_;
  std::vector<size_t> begun_;  // in writes_
  std::vector<size_t> live_;   // of them, those that no write had seen
  std::vector<std::vector<size_t>> not_gone_{kReplicasMax + 1};
  CausalContext replaced_;  // what all writes had seen
  std::vector<const ChaosOperation*> issued_;
  std::vector<const ChaosOperation*> acknowledged_;  // puts
};

void Count(const ChaosOperation& operation, ChaosVerdict* verdict) {
  ++verdict->operations;
  const bool read = operation.kind == ChaosKind::kGet;
  switch (operation.outcome) {
    case Outcome::kDone:
      ++(operation.final ? verdict->final_reads
         : read          ? verdict->reads
                         : verdict->writes_acknowledged);
      return;
    case Outcome::kNotDone:
      ++verdict->not_done;
      return;
    case Outcome::kUnknown:
      ++(read ? verdict->not_done : verdict->writes_unknown);
      return;
  }
}

}  // namespace

ChaosVerdict JudgeChaos(const ChaosHistory& history, bool converged) {
  ChaosVerdict verdict;
  std::vector<Operations> by_key(history.keys.size());
  std::unordered_map<uint64_t, const ChaosOperation*> by_number;  // lookup only
  for (const ChaosOperation& operation : history.operations) {
    Count(operation, &verdict);
    by_key[operation.key].push_back(&operation);
    by_number.emplace(operation.number, &operation);
  }
  for (size_t i = 0; i < by_key.size(); ++i) {
    std::ranges::stable_sort(by_key[i], {}, &ChaosOperation::began);
    KeyJudge(history, history.keys[i], by_key[i], by_number, converged, &verdict).Run();
  }
  return verdict;
}

}  // namespace eddy::tools
