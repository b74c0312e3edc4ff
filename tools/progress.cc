#include "tools/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "tools/text.h"

namespace eddy::tools {

std::string ProgressLine(uint64_t done, std::optional<uint64_t> total, uint64_t count,
                         std::string_view unit, std::chrono::milliseconds elapsed, size_t width) {
  const auto elapsed_ms = static_cast<uint64_t>(std::max<int64_t>(elapsed.count(), 1));
  std::string figures =
      fmt::format("{} {}  {}/s", FormatCount(count), unit, FormatCount(count * 1000 / elapsed_ms));
  if (!total || *total == 0) return figures.substr(0, width);
  const uint64_t percent = std::min<uint64_t>(done * 100 / *total, 100);
  if (done > 0 && done < *total) {
    const double left = static_cast<double>(elapsed_ms) *
                        (static_cast<double>(*total) / static_cast<double>(done) - 1) / 1000;
    figures += fmt::format("  {} left", FormatSeconds(static_cast<uint64_t>(left) + 1));
  }
  // Brackets, blanks and the figure take nine columns.
  if (figures.size() + 9 + 10 > width) return figures.substr(0, width);
  const size_t room = std::min<size_t>(width - figures.size() - 9, 40);
  const size_t filled = room * percent / 100;
  return fmt::format("[{}{}] {:>3}%  {}", std::string(filled, '#'), std::string(room - filled, '.'),
                     percent, figures);
}

Progress::Progress(std::string unit, bool shown) : unit_(std::move(unit)), shown_(shown) {}

Progress::~Progress() { Hide(); }

void Progress::Update(uint64_t done, std::optional<uint64_t> total, uint64_t count) {
  if (!shown_) return;
  const Clock::time_point now = Clock::now();
  if (now - drawn_ < std::chrono::milliseconds(200)) return;
  drawn_ = now;
  winsize window{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1;
  const std::string line =
      ProgressLine(done, total, count, unit_,
                   std::chrono::duration_cast<std::chrono::milliseconds>(now - started_),
                   known ? size_t{window.ws_col} - 1 : 79);
  fmt::print(stderr, "\r\x1b[K{}", line);
  std::fflush(stderr);
  visible_ = true;
}

void Progress::Hide() {
  if (!visible_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  visible_ = false;
  drawn_ = {};
}

}  // namespace eddy::tools
