// A progress bar on one line of a terminal; nothing where standard error is none. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace eddy::tools {

// The line for a moment, without a clock: `done` and `total` in any unit (bytes, say), `count` in
// what people count, per second since the start. Fits `width` columns.
std::string ProgressLine(uint64_t done, std::optional<uint64_t> total, uint64_t count,
                         std::string_view unit, std::chrono::milliseconds elapsed, size_t width);

class Progress {
 public:
  Progress(std::string unit, bool shown);
  // Leaves no trace of the bar, so that what follows stands on a line of its own.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Cheap: draws a few times a second.
  void Update(uint64_t done, std::optional<uint64_t> total, uint64_t count);
  // Takes the bar away until the next update, for a message.
  void Hide();

 private:
  using Clock = std::chrono::steady_clock;

  const std::string unit_;
  const bool shown_;
  const Clock::time_point started_ = Clock::now();
  Clock::time_point drawn_;
  bool visible_ = false;
};

}  // namespace eddy::tools
