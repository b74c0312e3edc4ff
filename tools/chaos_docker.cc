#include "tools/chaos_docker.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/run_program.h"

namespace eddy::tools {

namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kImage = "eddy";
constexpr const char* kProjectLabel = "com.docker.compose.project";
constexpr auto kAskMax = seconds(10);     // whether something is there
constexpr auto kDoMax = seconds(30);      // one thing, to one container
constexpr auto kStopMax = seconds(20);    // before Docker kills what it was asked to stop
constexpr auto kCreateMax = seconds(90);  // several containers
constexpr auto kTakeMax = seconds(60);    // everything away; what a node has kept
constexpr auto kLookEvery = milliseconds(500);
// Addresses of nodes begin here, so that those which Docker gives away by itself are others.
constexpr size_t kAddressFirst = 11;

// What it prints. The error names the command and has the end of what it said.
Result<std::string> Must(const Words& words, milliseconds max, RunOptions options = {}) {
  options.max = max;
  auto ended = RunToEnd(words, options);
  if (!ended) return std::unexpected(ended.error());
  if (ended->exit_code != 0) {
    constexpr size_t kTextMax = 500;
    std::string said = ended->out;
    while (said.ends_with('\n')) said.pop_back();
    if (said.size() > kTextMax) said.erase(0, said.size() - kTextMax);
    return Fail(Code::kIo,
                fmt::format("{}: exit code {}: {}", fmt::join(words, " "), ended->exit_code, said));
  }
  return std::move(ended->out);
}

Status Done(const Result<std::string>& said) {
  if (!said) return std::unexpected(said.error());
  return {};
}

bool Works(const Words& words) { return Must(words, kAskMax).has_value(); }

Words LinesOf(const std::string& text) {
  Words lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

Error Wrong(std::string text) { return {Code::kInvalidArgument, std::move(text)}; }

// "docker compose", or "docker-compose", which Debian 12 has.
Result<Words> FindCompose() {
  if (!FindProgram("docker")) {
    return std::unexpected(Wrong(
        "there is no docker on this machine: apt-get install docker.io docker-compose, or use "
        "./dev chaos --docker, which does"));
  }
  if (auto answers = Must({"docker", "version", "--format", "{{.Server.Version}}"}, kAskMax);
      !answers) {
    return std::unexpected(
        Wrong(fmt::format("docker does not answer: start dockerd, or use ./dev chaos --docker, "
                          "which does ({})",
                          answers.error().text)));
  }
  if (Works({"docker", "compose", "version"})) return Words{"docker", "compose"};
  if (FindProgram("docker-compose")) return Words{"docker-compose"};
  return std::unexpected(
      Wrong("docker is there and Compose is not: apt-get install docker-compose"));
}

// Of the project alone: its name is in the label of all that Compose makes.
Status TakeAway(const std::string& project) {
  const std::string filter = fmt::format("label={}={}", kProjectLabel, project);
  struct Kind {
    Words list;
    Words remove;
  };
  const Kind kinds[] = {{{"docker", "ps", "-aq"}, {"docker", "rm", "-f", "-v"}},
                        {{"docker", "volume", "ls", "-q"}, {"docker", "volume", "rm", "-f"}},
                        {{"docker", "network", "ls", "-q"}, {"docker", "network", "rm"}}};
  Status worst;
  for (Kind kind : kinds) {
    kind.list.insert(kind.list.end(), {"--filter", filter});
    const auto there = Must(kind.list, kAskMax);
    if (!there) return std::unexpected(there.error());
    const Words names = LinesOf(*there);
    if (names.empty()) continue;
    std::ranges::copy(names, std::back_inserter(kind.remove));
    if (Status ok = Done(Must(kind.remove, kTakeMax)); !ok) worst = ok;
  }
  return worst;
}

}  // namespace

ChaosDocker::ChaosDocker(ChaosDockerOptions options)
    : options_(std::move(options)), project_(fmt::format("eddychaos{}", getpid())) {}

Result<std::unique_ptr<ChaosDocker>> ChaosDocker::Open(ChaosDockerOptions options) {
  std::unique_ptr<ChaosDocker> docker(new ChaosDocker(std::move(options)));
  for (const char* name : {"compose.yml", "chaos.yml"}) {
    const fs::path file = fs::path(docker->options_.compose_directory) / name;
    if (access(file.c_str(), R_OK) != 0) {
      return std::unexpected(
          Wrong(fmt::format("there is no {}: name the source tree's directory docker with "
                            "--compose",
                            file.string())));
    }
  }
  auto compose = FindCompose();
  if (!compose) return std::unexpected(compose.error());
  docker->compose_ = *std::move(compose);
  if (!Works({"docker", "image", "inspect", "--format", "{{.Id}}", kImage})) {
    return std::unexpected(
        Wrong(fmt::format("docker has no image {}: ./dev docker image makes it", kImage)));
  }
  // From here on something is there to be taken away.
  if (Status ok = docker->Guard(); !ok) return std::unexpected(ok.error());
  if (Status ok = docker->ChooseNetwork(); !ok) return std::unexpected(ok.error());
  return docker;
}

ChaosDocker::~ChaosDocker() {
  (void)Remove();
  if (guard_ == 0) return;
  const char word = 'd';
  if (write(guard_pipe_, &word, 1) < 0) {
    // It has ended already, and there is nothing left that it could take away.
  }
  close(guard_pipe_);
  while (waitpid(guard_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Status ChaosDocker::Guard() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Fail(Code::kIo, "no pipe can be made");
  const pid_t pid = fork();
  if (pid < 0) return Fail(Code::kIo, "no process can be started: fork failed");
  if (pid == 0) {
    setsid();
    signal(SIGPIPE, SIG_IGN);
    close(ends[1]);
    // Whoever waits for the end of our output is not to wait for this one.
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int stream : {0, 1, 2}) dup2(null, stream);
    char word = 0;
    ssize_t count = 0;
    while ((count = read(ends[0], &word, 1)) < 0 && errno == EINTR) {
    }
    if (count == 0) (void)TakeAway(project_);
    _exit(0);
  }
  close(ends[0]);
  guard_ = pid;
  guard_pipe_ = ends[1];
  return {};
}

Status ChaosDocker::Remove() {
  if (removed_ || guard_ == 0) return {};
  Status ok = TakeAway(project_);
  removed_ = ok.has_value();
  if (ok) return ok;
  return Fail(ok.error().code,
              fmt::format("what the run made is not all gone; look with: docker ps -a --filter "
                          "label={}={} ({})",
                          kProjectLabel, project_, ok.error().text));
}

// Docker knows which networks are free on this machine, but gives containers fixed addresses only
// where it was told the network: so it is asked for one, and told that one.
Status ChaosDocker::ChooseNetwork() {
  const std::string name = project_ + "_probe";
  const std::string label = fmt::format("{}={}", kProjectLabel, project_);
  if (auto made = Must({"docker", "network", "create", "--label", label, name}, kDoMax); !made) {
    return Done(made);
  }
  auto shown = Must(
      {"docker", "network", "inspect", "-f", "{{range .IPAM.Config}}{{.Subnet}} {{end}}", name},
      kAskMax);
  if (auto gone = Must({"docker", "network", "rm", name}, kDoMax); !gone) return Done(gone);
  if (!shown) return Done(shown);
  std::istringstream subnets(*shown);
  for (std::string subnet; subnets >> subnet;) {
    const size_t numbers = subnet.rfind(".0/");
    if (numbers == std::string::npos || std::stoi(subnet.substr(numbers + 3)) > 24) continue;
    subnet_ = subnet;
    network_ = subnet.substr(0, numbers);
    return {};
  }
  return Fail(Code::kIo, fmt::format("docker gives networks that are too small for {} nodes: {}",
                                     kChaosNodesMax, *shown));
}

std::string ChaosDocker::HostOf(size_t node) const {
  return fmt::format("{}.{}", network_, kAddressFirst + node);
}

// --- containers

Status ChaosDocker::Start(const std::vector<ChaosStart>& starts) {
  std::vector<ChaosStart> anew;
  Words again = {"docker", "start"};
  for (const ChaosStart& start : starts) {
    Container& container = containers_[start.node];
    if (!container.id.empty() && container.replaces == start.replaces) {
      again.push_back(container.id);
      container.running = true;
      continue;
    }
    // Its settings are those that it was made with. The volume stays.
    if (!container.id.empty()) {
      if (auto gone = Must({"docker", "rm", "-f", container.id}, kDoMax); !gone) return Done(gone);
    }
    container = {.id = {}, .replaces = start.replaces, .running = true};
    anew.push_back(start);
  }
  looked_at_ = std::chrono::steady_clock::now();
  if (again.size() > 2) {
    if (auto done = Must(again, kDoMax); !done) return Done(done);
  }
  return anew.empty() ? Status() : Create(anew);
}

Status ChaosDocker::Create(const std::vector<ChaosStart>& starts) {
  const fs::path files(options_.compose_directory);
  RunOptions options;
  // Doors are published, as compose.yml says, where no cluster that somebody uses has its own.
  options.environment = {
      {"PUBLISH", fmt::format("127.{}.{}.1", 20 + getpid() % 200, 1 + getpid() / 200 % 250)},
      {"CHAOS_SEEDS", starts[0].seeds},
      {"CHAOS_SUBNET", subnet_},
      {"CHAOS_NETWORK", network_}};
  Words words = compose_;
  words.insert(words.end(), {"-p", project_, "-f", (files / "compose.yml").string(), "-f",
                             (files / "chaos.yml").string()});
  words.insert(words.end(), {"up", "-d", "--no-build", "--no-deps", "--no-recreate"});
  for (const ChaosStart& start : starts) {
    words.push_back(ChaosNodeName(start.node));
    if (start.replaces) {
      options.environment.emplace_back(fmt::format("CHAOS_REPLACES_N{}", start.node + 1),
                                       ChaosNodeName(start.node));
    }
  }
  if (auto made = Must(words, kCreateMax, options); !made) return Done(made);
  for (const ChaosStart& start : starts) {
    const auto id =
        Must({"docker", "ps", "-aq", "--no-trunc", "--filter",
              fmt::format("label={}={}", kProjectLabel, project_), "--filter",
              fmt::format("label=com.docker.compose.service={}", ChaosNodeName(start.node))},
             kAskMax);
    if (!id) return Done(id);
    const Words lines = LinesOf(*id);
    if (lines.size() != 1) {
      return Fail(Code::kIo, fmt::format("Compose made {} containers of {}", lines.size(),
                                         ChaosNodeName(start.node)));
    }
    containers_[start.node].id = lines[0];
  }
  looked_at_ = std::chrono::steady_clock::now();
  return {};
}

Status ChaosDocker::Kill(size_t node) {
  Container& container = containers_[node];
  looked_at_ = {};
  if (container.id.empty() || Ended(node)) return {};
  container.running = false;
  return Done(Must({"docker", "kill", container.id}, kDoMax));
}

Status ChaosDocker::Terminate(size_t node) {
  Container& container = containers_[node];
  if (container.id.empty()) return {};
  container.running = false;
  return Done(Must({"docker", "stop", "-t", fmt::format("{}", kStopMax / seconds(1)), container.id},
                   kDoMax));
}

bool ChaosDocker::Ended(size_t node) {
  LookAtAll();
  return !containers_[node].running;
}

// Asks for all at once and now and then, since each command takes its time. Where Docker does not
// answer, all is as it was.
void ChaosDocker::LookAtAll() {
  const auto now = std::chrono::steady_clock::now();
  if (now - looked_at_ < kLookEvery) return;
  looked_at_ = now;
  const auto said = Must({"docker", "ps", "-q", "--no-trunc", "--filter",
                          fmt::format("label={}={}", kProjectLabel, project_)},
                         kAskMax);
  if (!said) return;
  const Words running = LinesOf(*said);
  for (Container& container : containers_) {
    container.running =
        !container.id.empty() && std::ranges::find(running, container.id) != running.end();
  }
}

Status ChaosDocker::Pause(size_t node) {
  return Done(Must({"docker", "pause", containers_[node].id}, kDoMax));
}

Status ChaosDocker::Continue(size_t node) {
  return Done(Must({"docker", "unpause", containers_[node].id}, kDoMax));
}

Status ChaosDocker::DeleteDisk(size_t node) {
  Container& container = containers_[node];
  if (container.id.empty()) return {};
  if (auto gone = Must({"docker", "rm", "-f", container.id}, kDoMax); !gone) return Done(gone);
  container = {};
  return Done(Must({"docker", "volume", "rm", fmt::format("{}_{}", project_, ChaosNodeName(node))},
                   kDoMax));
}

Status ChaosDocker::Unplug(size_t node) {
  return Done(Must({"docker", "network", "disconnect", project_ + "_default", containers_[node].id},
                   kDoMax));
}

Status ChaosDocker::Plug(size_t node) {
  return Done(Must({"docker", "network", "connect", "--ip", HostOf(node), "--alias",
                    ChaosNodeName(node), project_ + "_default", containers_[node].id},
                   kDoMax));
}

// --- what they leave

std::string ChaosDocker::EndOfLog(size_t node) {
  if (containers_[node].id.empty()) return "(its container is gone)";
  const auto said = Must({"docker", "logs", "--tail", "5", containers_[node].id}, kAskMax);
  return said ? *said : said.error().text;
}

std::string ChaosDocker::LogPlace(size_t node) const {
  return fmt::format("{}/{}.log", options_.directory, ChaosNodeName(node));
}

Status ChaosDocker::Collect() {
  Status worst;
  for (size_t node = 0; node < containers_.size(); ++node) {
    const std::string& id = containers_[node].id;
    if (id.empty()) continue;
    if (const auto said = Must({"docker", "logs", id}, kTakeMax)) {
      std::ofstream(LogPlace(node)) << *said;
    } else {
      worst = Done(said);
    }
    const std::string data = fmt::format("{}/{}", options_.directory, ChaosNodeName(node));
    const auto copied = Must({"docker", "cp", "-q", id + ":/var/lib/eddy/data", data}, kTakeMax);
    if (!copied) worst = Done(copied);
  }
  return worst;
}

}  // namespace eddy::tools
