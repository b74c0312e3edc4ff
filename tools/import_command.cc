// import: keys from a file of JSON Lines (tools/json_lines.h).
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/command.h"
#include "tools/import.h"
#include "tools/interrupt.h"
#include "tools/json_lines.h"
#include "tools/line_reader.h"
#include "tools/progress.h"
#include "tools/session.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

struct ImportRun {
  std::string file;
  std::string errors_file;
  uint64_t continue_from = 1;
  uint64_t rate = 0;  // lines a second; 0: as fast as can be
  bool direct = false;
  ImportOptions options;
};

// How many lines may have been taken after `elapsed`.
uint64_t LinesAllowed(uint64_t rate, Clock::duration elapsed) {
  if (rate == 0) return UINT64_MAX;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(elapsed).count();
  return 1 + rate * static_cast<uint64_t>(ms) / 1000;
}

// Tells of each line that failed: the reason to people, the line to the errors file.
class FailureReport {
 public:
  FailureReport(const Output& output, Progress* progress) : output_(output), progress_(progress) {}

  [[nodiscard]] Status OpenFile(const std::string& path) {
    if (path.empty()) return {};
    path_ = path;
    file_.reset(std::fopen(path.c_str(), "wb"));
    if (file_ != nullptr) return {};
    return Fail(Code::kIo, fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  }

  void Add(const LineReader::Line& line, const Error& error) {
    if (file_ != nullptr) {
      std::fwrite(line.text.data(), 1, line.text.size(), file_.get());
      std::fputc('\n', file_.get());
    }
    if (shown_++ >= kShownMax) return;
    progress_->Hide();
    output_.Aside(fmt::format("line {}: {}: {}", line.number, CodeName(error.code), error.text));
  }

  void Close() {
    if (shown_ > kShownMax) {
      output_.Aside(fmt::format("... and {} more", FormatCount(shown_ - kShownMax)));
    }
    if (file_ == nullptr) return;
    const bool failed = std::ferror(file_.get()) != 0;
    if (std::fclose(file_.release()) != 0 || failed) {
      output_.Aside(fmt::format("eddyctl: {} is not complete: {}", path_, std::strerror(errno)));
    }
  }

 private:
  static constexpr uint64_t kShownMax = 100;

  const Output& output_;
  Progress* const progress_;
  File file_{nullptr, std::fclose};
  std::string path_;
  uint64_t shown_ = 0;
};

struct ImportEnd {
  ImportCounts counts;
  Clock::duration elapsed{};
  std::optional<Error> read_error;
  uint64_t next_line = 1;          // the first that was not taken
  bool complete = false;           // every line was taken
  std::optional<uint64_t> failed;  // the first line that failed
};

ImportEnd RunImport(const ImportRun& run, client::Client* client, LineReader* reader,
                    FailureReport* report, Progress* progress) {
  Import import(
      run.options,
      [client](wire::ClientRequest request, Import::Done done) {
        client->Submit(std::move(request), std::move(done));
      },
      [report](const LineReader::Line& line, const Error& error) { report->Add(line, error); });
  ImportEnd end;
  const Clock::time_point begin = Clock::now();
  uint64_t taken = 0;
  LineReader::Line line;
  bool reading = true;
  while (reading || !import.idle()) {
    bool starved = false;  // nothing to take now, though there is room
    while (reading && import.Ready() && !starved) {
      if (Interrupted() || taken >= LinesAllowed(run.rate, Clock::now() - begin)) break;
      const auto state = reader->Next(&line);
      if (!state) {
        end.read_error = state.error();
        reading = false;
      } else if (*state == LineReader::State::kMore) {
        end.next_line = line.number + 1;
        if (line.number < run.continue_from) continue;
        taken++;
        import.Take(std::move(line));
      } else if (*state == LineReader::State::kEnd) {
        end.complete = true;
        reading = false;
      } else {
        starved = true;
      }
    }
    if (Interrupted() || import.gave_up()) reading = false;
    if (client->in_flight() > 0) {
      client->Poll(std::chrono::milliseconds(10));
    } else if (reading) {
      // Nothing is on its way: until there is a line, or until the rate allows the next one.
      pollfd readable{.fd = reader->fd(), .events = POLLIN, .revents = 0};
      poll(&readable, starved ? 1 : 0, 10);
    }
    progress->Update(reader->bytes_taken(), reader->bytes_total(), import.counts().stored);
  }
  end.counts = import.counts();
  end.elapsed = Clock::now() - begin;
  end.failed = import.first_failed_line();
  return end;
}

// Where to go on: what was not taken, and without an errors file also what failed.
std::optional<uint64_t> ContinueFrom(const ImportRun& run, const ImportEnd& end) {
  std::optional<uint64_t> from;
  if (!end.complete) from = end.next_line;
  if (run.errors_file.empty() && end.failed)
    from = std::min(from.value_or(*end.failed), *end.failed);
  return from;
}

void ShowImportEnd(const Output& output, const ImportRun& run, const ImportEnd& end,
                   ExitCode exit_code) {
  const auto ms = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(end.elapsed).count());
  const uint64_t rate = end.counts.stored * 1000 / std::max<uint64_t>(ms, 1);
  const std::optional<uint64_t> from = ContinueFrom(run, end);
  if (output.json()) {
    Json object = {{"stored", end.counts.stored},
                   {"failed", end.counts.failed},
                   {"unknown", end.counts.unknown},
                   {"complete", end.complete},
                   {"elapsed_ms", ms},
                   {"exit_code", static_cast<int>(exit_code)}};
    if (from) object["continue_from"] = *from;
    if (end.read_error) object["error"] = end.read_error->text;
    output.Json(object);
    return;
  }
  if (end.read_error) output.Aside("eddyctl: " + end.read_error->text);
  if (!output.quiet() || exit_code != ExitCode::kOk) {
    std::string text = fmt::format("{} stored", FormatCount(end.counts.stored));
    text += fmt::format(", {} failed", FormatCount(end.counts.failed));
    if (end.counts.unknown > 0) {
      text += fmt::format(", {} that may be stored", FormatCount(end.counts.unknown));
    }
    text += fmt::format(" in {}.{:03} s ({}/s)", ms / 1000, ms % 1000, FormatCount(rate));
    output.Line(text);
  }
  if (end.failed && !run.errors_file.empty()) {
    output.Aside(
        fmt::format("The lines that failed are in {0}. Put right what is wrong and: eddyctl "
                    "import {0}",
                    run.errors_file));
  }
  if (from) {
    output.Aside(fmt::format("To go on{}: eddyctl import {} --continue-from {}",
                             end.complete ? " from the first line that failed" : "", run.file,
                             *from));
  }
}

ExitCode RunImportCommand(const GlobalOptions& global, ImportRun run) {
  const Output& output = global.output;
  run.options.deadline = global.timeout;
  auto reader = LineReader::Open(run.file, kJsonLineBytesMax);
  if (!reader) return output.Fail(reader.error());
  auto client = OpenClient(global, run.direct ? Routing::kGivenNodes : Routing::kReplicas,
                           run.options.window + 1);
  if (!client) return output.Fail(client.error());
  // Before the file is read: where nobody answers, one clear error and not one a line.
  const auto status = (*client)->Status();
  if (!status) return output.Fail(status.error());

  CatchInterrupt();
  Progress progress("lines", output.err_is_terminal() && !output.quiet() && !output.json());
  FailureReport report(output, &progress);
  if (const Status opened = report.OpenFile(run.errors_file); !opened) {
    return output.Fail(opened.error());
  }
  const ImportEnd end = RunImport(run, client->get(), &*reader, &report, &progress);
  progress.Hide();
  report.Close();

  ExitCode exit_code = ExitCode::kOk;
  if (Interrupted()) {
    exit_code = ExitCode::kInterrupted;
  } else if (!end.complete || end.counts.failed > 0 || end.counts.unknown > 0) {
    exit_code = ExitCode::kPartial;
  }
  ShowImportEnd(output, run, end, exit_code);
  return exit_code;
}

}  // namespace

void AddImportCommand(CLI::App* app, Commands* commands) {
  CLI::App* verb = app->add_subcommand("import", "Store the keys of a file of JSON Lines");
  const auto run = std::make_shared<ImportRun>();
  verb->add_option("FILE", run->file, "{\"bucket\",\"key\",\"value\"} a line; - for standard input")
      ->required()
      ->option_text(" ");
  verb->add_option("--bucket", run->options.bucket_default,
                   "The bucket of lines that name none [default]")
      ->option_text("NAME");
  AddQuorumOption(verb, "-n", "Replicas [of the bucket]", &run->options.quorum.n);
  AddQuorumOption(verb, "-w", "Replicas that must store a write [of the bucket]",
                  &run->options.quorum.w);
  verb->add_flag("--blind", run->options.blind,
                 "Do not read first: twice as fast into an empty bucket, siblings in a full one");
  AddDirectFlag(verb, &run->direct);
  verb->add_option("--window", run->options.window, "Lines on their way at a time [128]")
      ->check(CLI::Range(size_t{1}, size_t{10'000}).description(""))
      ->option_text("COUNT");
  verb->add_option("--rate", run->rate, "At most so many lines a second")->option_text("COUNT");
  verb->add_option("--errors", run->errors_file, "Write the lines that fail to this file")
      ->option_text("FILE");
  verb->add_option("--continue-from", run->continue_from, "Skip the lines before this one [1]")
      ->option_text("LINE");
  (*commands)[verb] = [run](const GlobalOptions& global) { return RunImportCommand(global, *run); };
}

}  // namespace eddy::tools
