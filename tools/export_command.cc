// export: keys to JSON Lines (tools/json_lines.h).
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/command.h"
#include "tools/export.h"
#include "tools/interrupt.h"
#include "tools/json_lines.h"
#include "tools/key_source.h"
#include "tools/line_reader.h"
#include "tools/progress.h"
#include "tools/session.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

struct ExportRun {
  std::string bucket = "default";
  std::string keys_file;
  bool all_buckets = false;
  bool direct = false;
  ExportOptions options;
};

struct ExportEnd {
  ExportCounts counts;
  std::optional<Error> source_error;
};

ExportEnd RunExport(const ExportRun& run, const Output& output, client::Client* client,
                    KeySource* source, Progress* progress) {
  Export keys(
      run.options,
      [client](wire::ClientRequest request, Export::Done done) {
        client->Submit(std::move(request), std::move(done));
      },
      [&](const Entry& entry) { output.Line(FormatJsonLine(entry)); },
      [&](const ListedKey& key, const Error& error) {
        progress->Hide();
        output.Aside(fmt::format("{} in bucket {}: {}: {}", Quoted(key.key), Quoted(key.bucket),
                                 CodeName(error.code), error.text));
      });
  ExportEnd end;
  bool more = true;
  while (more || !keys.idle()) {
    bool starved = false;  // no key now, though there is room
    while (more && !starved && keys.Ready()) {
      ListedKey key;
      const auto state = source->Next(&key);
      if (!state) end.source_error = state.error();
      more =
          state && *state != KeySource::State::kEnd && !Interrupted() && std::ferror(stdout) == 0;
      starved = more && *state == KeySource::State::kWaiting;
      if (more && !starved) keys.Take(std::move(key));
    }
    if (client->in_flight() > 0) {
      client->Poll(std::chrono::milliseconds(10));
    } else if (starved) {
      source->Wait();
    }
    progress->Update(0, std::nullopt, keys.counts().exported);
  }
  end.counts = keys.counts();
  return end;
}

ExitCode RunExportCommand(const GlobalOptions& global, ExportRun run) {
  const Output& output = global.output;
  run.options.deadline = global.timeout;
  std::optional<KeysOfFile> file;
  if (!run.keys_file.empty()) {
    auto reader = LineReader::Open(run.keys_file, kJsonLineBytesMax);
    if (!reader) return output.Fail(reader.error());
    file.emplace(std::move(*reader), run.bucket);
  }
  auto client = OpenClient(global, run.direct ? Routing::kGivenNodes : Routing::kReplicas,
                           run.options.window + 1);
  if (!client) return output.Fail(client.error());
  const auto status = (*client)->Status();
  if (!status) return output.Fail(status.error());
  KeysOfCluster cluster(global, CurrentMembers(*status),
                        run.all_buckets ? std::string() : run.bucket);

  CatchInterrupt();
  // A bar among the lines on the same terminal would be a mess.
  Progress progress("keys",
                    output.err_is_terminal() && !output.out_is_terminal() && !output.quiet());
  KeySource* source = file ? static_cast<KeySource*>(&*file) : &cluster;
  const ExportEnd end = RunExport(run, output, client->get(), source, &progress);
  progress.Hide();

  for (const std::string& node : cluster.left_out()) {
    output.Aside(fmt::format("eddyctl: left out {}; keys that only it holds are missing", node));
  }
  ExitCode exit_code = ExitCode::kOk;
  if (end.source_error) {
    exit_code = output.Fail(*end.source_error);
  } else if (Interrupted()) {
    exit_code = ExitCode::kInterrupted;
  } else if (end.counts.failed > 0 || !cluster.left_out().empty()) {
    exit_code = ExitCode::kPartial;
  }
  if (exit_code != ExitCode::kOk || output.err_is_terminal()) {
    output.Note(fmt::format("{} exported, {} absent, {} failed", FormatCount(end.counts.exported),
                            FormatCount(end.counts.absent), FormatCount(end.counts.failed)));
  }
  return exit_code;
}

}  // namespace

void AddExportCommand(CLI::App* app, Commands* commands) {
  CLI::App* verb = app->add_subcommand("export", "Print keys and their values as JSON Lines");
  const auto run = std::make_shared<ExportRun>();
  verb->add_option("--bucket", run->bucket, "The bucket [default]")->option_text("NAME");
  verb->add_flag("--all-buckets", run->all_buckets, "The keys of every bucket");
  verb->add_option("--keys", run->keys_file,
                   "Only the keys of this file of JSON Lines, such as one that was imported; - for "
                   "standard input")
      ->option_text("FILE");
  AddQuorumOption(verb, "-n", "Replicas [of the bucket]", &run->options.quorum.n);
  AddQuorumOption(verb, "-r", "Replicas that must answer a read [of the bucket]",
                  &run->options.quorum.r);
  AddDirectFlag(verb, &run->direct);
  verb->add_option("--window", run->options.window, "Keys on their way at a time [128]")
      ->check(CLI::Range(size_t{1}, size_t{10'000}).description(""))
      ->option_text("COUNT");
  (*commands)[verb] = [run](const GlobalOptions& global) { return RunExportCommand(global, *run); };
}

}  // namespace eddy::tools
