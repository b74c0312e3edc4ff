// The page that Prometheus reads, in its text format 0.0.4: families of samples, each family once,
// with its help and type before it. Pure functions but for the page's own text.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "base/histogram.h"
#include "wire/hello.h"

namespace eddy::server {

class MetricsPage {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // Begins a family; its samples follow. Names are [a-z_]+; those of counters end in _total.
  void Family(std::string_view name, std::string_view type, std::string_view help);
  void Sample(Labels labels, uint64_t value);
  void Sample(uint64_t value) { Sample({}, value); }
  // In a family of type histogram whose name ends in _seconds.
  void Sample(Labels labels, const Histogram& microseconds);

  // A family of one sample without labels.
  void Gauge(std::string_view name, std::string_view help, uint64_t value);
  void Counter(std::string_view name, std::string_view help, uint64_t value);
  // `value` in microseconds; shown in seconds.
  void CounterSeconds(std::string_view name, std::string_view help, uint64_t microseconds);

  const std::string& text() const { return text_; }

 private:
  void Line(std::string_view suffix, Labels labels, std::string_view more, std::string_view value);

  std::string name_;  // of the family
  std::string text_;
};

// What a node says of itself, counters included.
void AddStatus(MetricsPage* page, const wire::NodeStatus& status);

}  // namespace eddy::server
