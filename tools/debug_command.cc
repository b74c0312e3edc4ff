// debug bundle: what somebody who helps needs to see, in one file.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/admin_json.h"
#include "tools/bundle.h"
#include "tools/command.h"
#include "tools/run_program.h"
#include "tools/session.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

// Of the end of each log.
constexpr std::streamoff kLogBytesMax = 4 * 1024 * 1024;
constexpr size_t kLogsMax = 64;

constexpr const char* kAbout =
    "What eddyctl debug bundle saw of a cluster of Eddy.\n\n"
    "status.json, doctor.json   as eddyctl status and doctor show them\n"
    "nodes/NAME/*.json          what each member answered, by call; errors in errors.json\n"
    "logs/                      the ends of the logs that were named with --log\n\n"
    "No keys or values are in here. Members and words that speak of passwords, secrets, tokens or\n"
    "private keys are (removed). Names, addresses and paths of machines are in here: look before\n"
    "you pass it on.\n";

struct BundleOptions {
  std::string file;
  std::vector<std::string> logs;
};

WallTime Now() {
  return WallTime(std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch()));
}

// "2026-01-31T12-00-00Z"
std::string NameOfNow() {
  std::string text = FormatWallTime(Now());
  text = text.substr(0, 19) + "Z";
  for (char& c : text) {
    if (c == ':') c = '-';
  }
  return "eddy-bundle-" + text + ".tar";
}

BundleFile JsonFile(std::string name, Json json) {
  RemoveSecrets(&json);
  return {std::move(name), json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"};
}

// What this eddyctl prints for a verb; the error where it has none.
Json AskSelf(const GlobalOptions& global, const char* verb) {
  std::vector<std::string> words = {"/proc/self/exe"};
  for (std::string& word : GlobalWords(global)) words.push_back(std::move(word));
  words.insert(words.end(), {verb, "--json", "--quiet"});
  const auto ended = RunToEnd(words);
  if (!ended) return {{"error", ended.error().text}};
  Json json = Json::parse(ended->out.substr(0, ended->out.find('\n')), nullptr, false);
  return json.is_discarded() ? Json{{"error", ended->out}} : json;
}

Result<BundleFile> EndOfLog(const std::string& path, size_t number) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(0, std::ios::end);
  const std::streamoff size = file.tellg();
  if (!file || size < 0) {
    return Fail(Code::kIo, fmt::format("cannot read the log {}: is it a file that this user may "
                                       "read?",
                                       path));
  }
  file.seekg(std::max<std::streamoff>(0, size - kLogBytesMax));
  std::string bytes(static_cast<size_t>(std::min(size, kLogBytesMax)), '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(file.gcount()));
  std::string name = path.substr(path.find_last_of('/') + 1);
  if (name.size() > 60) name.resize(60);
  return BundleFile{fmt::format("logs/{}-{}", number, name), WithoutSecrets(bytes)};
}

Status WriteNew(const std::string& path, const std::string& bytes) {
  // Nobody else's business, and nobody's file is overwritten.
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) {
    return Fail(Code::kIo, fmt::format("cannot make {}: {}", path,
                                       errno == EEXIST ? "it is there already" : strerror(errno)));
  }
  size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = write(file, bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    written += static_cast<size_t>(count);
  }
  const bool good = close(file) == 0 && written == bytes.size();
  if (good) return {};
  unlink(path.c_str());
  return Fail(Code::kIo, fmt::format("cannot write {}: is there room on its disk?", path));
}

ExitCode Bundle(const GlobalOptions& global, const BundleOptions& options) {
  const Output& output = global.output;
  if (options.logs.size() > kLogsMax) {
    return output.Fail(
        {Code::kTooLarge, fmt::format("more than {} logs: make two bundles", kLogsMax)});
  }
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  std::vector<BundleFile> files = {{"README.txt", kAbout}};
  files.push_back(JsonFile(
      "eddyctl.json",
      {{"version", EDDY_VERSION}, {"made_at", FormatWallTime(Now())}, {"asked", status->name}}));
  files.push_back(JsonFile("status.json", AskSelf(global, "status")));
  files.push_back(JsonFile("doctor.json", AskSelf(global, "doctor")));
  const std::vector<wire::MemberStatus> members = MembersByName(*status);
  std::vector<client::Address> addresses;
  for (const wire::MemberStatus& member : members) addresses.push_back(AddressOf(member));
  std::vector<Json> errors(members.size(), Json::object());
  for (const char* call : {"process.show", "config.show", "cluster.show", "cluster.ring",
                           "repair.status", "hints.show", "tasks.show", "fault.show"}) {
    auto answers = AskEachJson(global, addresses, call, Json::object());
    for (size_t i = 0; i < members.size(); ++i) {
      if (answers[i]) {
        files.push_back(JsonFile(fmt::format("nodes/{}/{}.json", members[i].name, call),
                                 *std::move(answers[i])));
      } else {
        errors[i][call] = answers[i].error().text;
      }
    }
  }
  for (size_t i = 0; i < members.size(); ++i) {
    files.push_back(
        JsonFile(fmt::format("nodes/{}/errors.json", members[i].name), std::move(errors[i])));
  }
  for (const std::string& log : options.logs) {
    auto end = EndOfLog(log, files.size());
    if (!end) return output.Fail(end.error());
    files.push_back(*std::move(end));
  }
  const std::string path = options.file.empty() ? NameOfNow() : options.file;
  const std::string tar = TarOf(files, Now());
  if (const Status ok = WriteNew(path, tar); !ok) return output.Fail(ok.error());
  if (output.json()) {
    output.Json({{"file", path}, {"bytes", tar.size()}, {"files", files.size()}});
  } else {
    output.Line(fmt::format("{}: {} files, {}; its README.txt says what is in it", path,
                            files.size(), FormatBytes(tar.size())));
  }
  return ExitCode::kOk;
}

}  // namespace

void AddDebugCommands(CLI::App* app, Commands* commands) {
  CLI::App* debug = app->add_subcommand("debug", "For those who help");
  (*commands)[debug] = [](const GlobalOptions& global) {
    return global.output.Fail({Code::kInvalidArgument, "say what to do: eddyctl debug bundle"});
  };
  CLI::App* bundle = debug->add_subcommand(
      "bundle", "What the members say of themselves, in one tar file, without secrets");
  const auto options = std::make_shared<BundleOptions>();
  bundle->add_option("--file", options->file, "Where to write it [eddy-bundle-TIME.tar]")
      ->option_text("FILE");
  bundle->add_option("--log", options->logs, "The end of this log, too; repeated for several")
      ->allow_extra_args(false)
      ->option_text("FILE");
  (*commands)[bundle] = [options](const GlobalOptions& global) { return Bundle(global, *options); };
}

}  // namespace eddy::tools
