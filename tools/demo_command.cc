// demo: a throw-away cluster with data, load and a shell in which it can be broken by hand.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/chaos_cluster.h"
#include "tools/chaos_processes.h"
#include "tools/command.h"
#include "tools/command_tree.h"
#include "tools/demo_load.h"
#include "tools/interrupt.h"
#include "tools/neighbour.h"
#include "tools/session.h"
#include "tools/shell.h"
#include "tools/table.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

namespace fs = std::filesystem;
using State = ChaosNode::State;
using Words = std::vector<std::string>;

constexpr auto kTellMax = std::chrono::seconds(3);
constexpr auto kTellEvery = std::chrono::milliseconds(50);

struct DemoOptions {
  uint32_t nodes = 5;
  uint32_t keys = 500;
  uint32_t rate = 50;
};

constexpr const char* kHelp =
    R"(\nodes                     who runs, and what cannot reach what
\kill 2                    ends node 2 at once, as a crash does; several: \kill 2,3
\start 2                   starts it again on its disk
\pause 2, \continue 2      stops it without ending it, and lets it go on
\partition 1,2|3,4,5       those on one side do not hear those on the other
\heal                      mends the network, starts and continues every node
\siblings [KEY]            which carts have several values now, as each node shows them
\load [0..2000]            what the clients have done; with a number: so many a second from here on
\help                      this
And every command of eddyctl, such as: status, members, top, ring cart:1 --bucket demo)";

Error Wrong(std::string text) { return {Code::kInvalidArgument, std::move(text)}; }

class Demo {
 public:
  Demo(const DemoOptions& options, const Output& output, std::string directory)
      : options_(options),
        output_(output),
        processes_(NeighbourEddyd(), std::move(directory)),
        cluster_({.nodes = options.nodes}, &processes_) {}

  Status Start() {
    if (Status ok = cluster_.StartAll(); !ok) return ok;
    if (Status ok = Fill(); !ok) return ok;
    load_ = std::make_unique<DemoLoad>(cluster_.AddressesOfMembers(), ChaosCluster::kName,
                                       options_.rate);
    return {};
  }

  ExitCode Talk(const CommandTree& tree, const GlobalOptions& global) {
    ShellOptions shell;
    shell.prompt = "demo> ";
    shell.tree = tree;
    GlobalOptions ours = global;
    ours.cluster = ChaosCluster::kName;
    ours.nodes.clear();
    for (const client::Address& address : cluster_.AddressesOfMembers()) {
      ours.nodes.push_back(fmt::format("{}:{}", address.host, address.port));
    }
    shell.globals = GlobalWords(ours);
    for (const Verb& verb : kVerbs) shell.own_names.emplace_back(verb.name);
    shell.own = [this](const Words& words) { return Run(words); };
    shell.greeting = fmt::format(
        "{} nodes in three zones, {} keys, and clients that fill carts {} times a second.\n"
        "Break it: \\kill 2, \\partition 1,2|3..., then status and \\siblings; \\heal mends it.\n"
        "\\help lists more, Ctrl-D ends it all.",
        options_.nodes, options_.keys, options_.rate);
    return RunShell(shell, output_);
  }

 private:
  struct Verb {
    const char* name;
    ExitCode (Demo::*run)(const Words&);
  };
  static const std::vector<Verb> kVerbs;

  Status Fill() {
    GlobalOptions global = Global();
    for (const client::Address& address : cluster_.AddressesOfMembers()) {
      global.nodes.push_back(fmt::format("{}:{}", address.host, address.port));
    }
    auto client = OpenClient(global, Routing::kReplicas, 64);
    if (!client) return std::unexpected(client.error());
    uint32_t failed = 0;
    for (uint32_t key = 0; key < options_.keys; ++key) {
      wire::ClientRequest request{.bucket = kDemoBucket, .key = fmt::format("key:{}", key + 1)};
      request.action = wire::PutAction{.value = fmt::format("value {}", key + 1)};
      (*client)->Submit(std::move(request),
                        [&](const wire::ClientReply& reply) { failed += reply.error.has_value(); });
    }
    (*client)->Drain();
    if (failed > 0) return Fail(Code::kUnavailable, "the keys could not all be written");
    return {};
  }

  static GlobalOptions Global() {
    GlobalOptions global;
    global.cluster = ChaosCluster::kName;
    global.timeout = std::chrono::seconds(2);
    return global;
  }

  std::optional<ExitCode> Run(const Words& words) {
    const auto verb = std::ranges::find(kVerbs, words.front(),
                                        [](const Verb& each) { return std::string(each.name); });
    if (verb == kVerbs.end()) return std::nullopt;
    if (auto crashed = cluster_.Crashed()) output_.Note(*crashed);
    return (this->*verb->run)(words);
  }

  // "2,3" as places in the cluster: all different, and nodes of it.
  Result<std::vector<size_t>> NodesOf(std::string_view text) const {
    std::vector<size_t> nodes;
    while (!text.empty()) {
      std::string_view one = text.substr(0, text.find(','));
      text.remove_prefix(std::min(text.size(), one.size() + 1));
      const std::string given(one);
      if (one.starts_with('n')) one.remove_prefix(1);
      size_t number = 0;
      const auto [end, error] = std::from_chars(one.data(), one.data() + one.size(), number);
      if (error != std::errc() || end != one.data() + one.size() || number < 1 ||
          number > options_.nodes) {
        return std::unexpected(
            Wrong(fmt::format("{} is no node: they are 1 to {}", Quoted(given), options_.nodes)));
      }
      if (std::ranges::find(nodes, number - 1) != nodes.end()) {
        return std::unexpected(Wrong(fmt::format("node {} is named twice", number)));
      }
      nodes.push_back(number - 1);
    }
    return nodes;
  }

  // Does it to each node that is named, if all of them are in one of these states.
  template <class Do>
  ExitCode Each(const Words& words, std::initializer_list<State> states, const char* otherwise,
                Do act, const char* done) {
    if (words.size() != 2) {
      return output_.Fail(Wrong(fmt::format("name nodes, such as {} 2", words.front())));
    }
    const auto nodes = NodesOf(words[1]);
    if (!nodes) return output_.Fail(nodes.error());
    for (const size_t node : *nodes) {
      if (std::ranges::find(states, cluster_.nodes()[node].state) != states.end()) continue;
      return output_.Fail(
          Wrong(fmt::format("{} {}: nothing was done", cluster_.nodes()[node].name, otherwise)));
    }
    std::vector<std::string> names;
    for (const size_t node : *nodes) {
      act(node);
      names.push_back(cluster_.nodes()[node].name);
    }
    Tell();
    output_.Line(fmt::format("{} {}", fmt::join(names, ", "), done));
    return ExitCode::kOk;
  }

  // Until every node that runs knows what it cannot reach.
  void Tell() {
    const auto deadline = std::chrono::steady_clock::now() + kTellMax;
    for (;;) {
      cluster_.Tick();
      if (cluster_.FaultsSet() || std::chrono::steady_clock::now() > deadline) return;
      std::this_thread::sleep_for(kTellEvery);
    }
  }

  void Must(const Status& ok) {
    if (!ok) output_.Fail(ok.error());
  }

  void Begin(size_t node) { Must(cluster_.Start(node)); }

  ExitCode Kill(const Words& words) {
    return Each(
        words, {State::kRunning, State::kPaused}, "does not run",
        [&](size_t node) { Must(cluster_.Kill(node)); },
        "ended at once; others take over its keys: see status, and \\start brings it back");
  }
  ExitCode Start(const Words& words) {
    return Each(
        words, {State::kDown}, "runs already", [&](size_t node) { Begin(node); },
        "started; others bring back what was missed");
  }
  ExitCode Pause(const Words& words) {
    return Each(
        words, {State::kRunning}, "does not run", [&](size_t node) { Must(cluster_.Pause(node)); },
        "stands still, and does not know it; \\continue lets it go on");
  }
  ExitCode Continue(const Words& words) {
    return Each(
        words, {State::kPaused}, "is not paused",
        [&](size_t node) { Must(cluster_.Continue(node)); }, "goes on");
  }

  ExitCode Partition(const Words& words) {
    std::vector<std::vector<size_t>> sides;
    std::string text;
    for (size_t i = 1; i < words.size(); ++i) text += words[i];
    std::string_view rest = text;
    std::vector<bool> seen(options_.nodes, false);
    while (!rest.empty()) {
      const std::string_view side = rest.substr(0, rest.find('|'));
      rest.remove_prefix(std::min(rest.size(), side.size() + 1));
      auto nodes = NodesOf(side);
      if (!nodes) return output_.Fail(nodes.error());
      for (const size_t node : *nodes) {
        if (seen[node]) {
          return output_.Fail(Wrong(fmt::format("node {} is on two sides", node + 1)));
        }
        seen[node] = true;
      }
      if (!nodes->empty()) sides.push_back(*std::move(nodes));
    }
    if (sides.empty()) {
      return output_.Fail(Wrong("say who is with whom, such as \\partition 1,2|3,4,5"));
    }
    // Those who are not named stay together.
    std::vector<size_t> others;
    for (size_t node = 0; node < seen.size(); ++node) {
      if (!seen[node]) others.push_back(node);
    }
    if (!others.empty()) sides.push_back(std::move(others));
    if (sides.size() < 2) return output_.Fail(Wrong("all nodes are on one side: put a | between"));
    std::vector<LinkFault> faults;
    for (const auto& one : sides) {
      for (const auto& other : sides) {
        if (&one == &other) continue;
        for (const size_t from : one) {
          for (const size_t to : other) faults.push_back({.from = from, .to = to, .drop = true});
        }
      }
    }
    sides_ = sides;
    cluster_.SetFaults(std::move(faults));
    Tell();
    output_.Line(SayNetwork());
    return ExitCode::kOk;
  }

  ExitCode Heal(const Words& words) {
    if (words.size() != 1)
      return output_.Fail(Wrong("\\heal mends everything, and takes no words"));
    sides_.clear();
    for (size_t node = 0; node < options_.nodes; ++node) {
      if (cluster_.nodes()[node].state == State::kPaused) Must(cluster_.Continue(node));
      if (cluster_.nodes()[node].state == State::kDown) Begin(node);
    }
    cluster_.SetFaults({});
    Tell();
    output_.Line("The network is whole, and every node runs: 'status' says when all is repaired.");
    return ExitCode::kOk;
  }

  std::string SayNetwork() const {
    if (sides_.empty()) return "Every node reaches every other.";
    std::vector<std::string> sides;
    for (const auto& side : sides_) {
      std::vector<std::string> names;
      for (const size_t node : side) names.push_back(fmt::format("n{}", node + 1));
      sides.push_back(fmt::format("{}", fmt::join(names, ",")));
    }
    return fmt::format("Cut off from each other: {}", fmt::join(sides, " | "));
  }

  ExitCode ShowNodes(const Words&) {
    std::vector<Words> rows = {{"node", "state", "native door", "log"}};
    for (size_t node = 0; node < options_.nodes; ++node) {
      const ChaosNode& each = cluster_.nodes()[node];
      const char* state = each.state == State::kRunning  ? "runs"
                          : each.state == State::kPaused ? "PAUSED"
                                                         : "DOWN";
      const client::Address address = cluster_.AddressOf(node);
      rows.push_back({each.name, state, fmt::format("{}:{}", address.host, address.port),
                      cluster_.machines().LogPlace(node)});
    }
    for (const std::string& line : FormatTable(rows)) output_.Line(line);
    output_.Line(SayNetwork());
    return ExitCode::kOk;
  }

  // One key's siblings as the node shows them that is asked, by no more than what it reaches.
  std::string Look(size_t node, const std::string& key) {
    GlobalOptions global = Global();
    const client::Address address = cluster_.AddressOf(node);
    global.nodes = {fmt::format("{}:{}", address.host, address.port)};
    auto client = OpenClient(global, Routing::kGivenNodes);
    if (!client) return client.error().text;
    wire::ClientRequest request{.bucket = kDemoBucket, .key = key};
    request.action = wire::GetAction{.all_siblings = true};
    request.deadline = global.timeout;
    const wire::ClientReply reply = (*client)->Execute(std::move(request));
    // Its first words; the rest is for who has only that.
    if (reply.error) {
      return fmt::format("({})",
                         reply.error->text.substr(0, reply.error->text.find_first_of(",;")));
    }
    if (reply.siblings.empty()) return "(nothing)";
    std::vector<std::string> values;
    for (const wire::ShownSibling& sibling : reply.siblings) values.push_back(sibling.value);
    return fmt::format("{}", fmt::join(values, "  |  "));
  }

  ExitCode Siblings(const Words& words) {
    if (words.size() > 2) return output_.Fail(Wrong("\\siblings takes one key, or none"));
    std::vector<std::string> keys;
    if (words.size() == 2) keys.push_back(words[1]);
    for (uint32_t cart = 0; cart < kDemoCarts && words.size() == 1; ++cart) {
      keys.push_back(DemoCart(cart));
    }
    // Of each side one node, and of a whole cluster one; of a single key every node that runs.
    std::vector<size_t> asked;
    for (size_t node = 0; node < options_.nodes; ++node) {
      if (cluster_.nodes()[node].state != State::kRunning) continue;
      const auto side = std::ranges::find_if(
          sides_, [&](const auto& nodes) { return std::ranges::find(nodes, node) != nodes.end(); });
      const bool is_first =
          side == sides_.end() ? asked.empty() : std::ranges::none_of(*side, [&](size_t other) {
            return std::ranges::find(asked, other) != asked.end();
          });
      if (words.size() == 2 || is_first) asked.push_back(node);
    }
    size_t several = 0;
    for (const std::string& key : keys) {
      for (const size_t node : asked) {
        const std::string values = Look(node, key);
        const bool has_several = values.contains("  |  ");
        several += has_several;
        if (words.size() == 2 || has_several || sides_.size() > 1) {
          output_.Line(fmt::format("{:<8} by n{}  {}", key, node + 1, values));
        }
      }
    }
    if (words.size() == 1) {
      output_.Line(several > 0 ? fmt::format("The clients settle such a cart {} s after they first "
                                             "read its values.",
                                             DemoLoad::kSettleAfter / std::chrono::seconds(1))
                   : sides_.size() > 1
                       ? "The sides write on, each for itself: \\heal brings their values together."
                       : "No cart has several values now. Cut the network with \\partition, let "
                         "both sides write, and \\heal it.");
    }
    return ExitCode::kOk;
  }

  ExitCode Load(const Words& words) {
    if (words.size() > 2) return output_.Fail(Wrong("\\load takes one number, or nothing"));
    if (words.size() == 2) {
      uint32_t rate = 0;
      const char* const last = words[1].data() + words[1].size();
      const auto [end, error] = std::from_chars(words[1].data(), last, rate);
      if (error != std::errc() || end != last || rate > kDemoRateMax) {
        return output_.Fail(
            Wrong(fmt::format("{} is no number from 0 to {}", Quoted(words[1]), kDemoRateMax)));
      }
      load_->SetRate(rate);
    }
    const DemoLoad::Totals totals = load_->totals();
    output_.Line(fmt::format(
        "{} a second; {} operations done, {} not done or not known, {} conflicts settled",
        load_->rate(), FormatCount(totals.done), FormatCount(totals.failed),
        FormatCount(totals.settled)));
    return ExitCode::kOk;
  }

  ExitCode Help(const Words&) {
    output_.Line(kHelp);
    return ExitCode::kOk;
  }

  const DemoOptions options_;
  const Output& output_;
  ChaosProcesses processes_;
  ChaosCluster cluster_;
  std::vector<std::vector<size_t>> sides_;
  std::unique_ptr<DemoLoad> load_;  // ends before the cluster does
};

const std::vector<Demo::Verb> Demo::kVerbs = {
    {"\\nodes", &Demo::ShowNodes},   {"\\kill", &Demo::Kill},
    {"\\start", &Demo::Start},       {"\\pause", &Demo::Pause},
    {"\\continue", &Demo::Continue}, {"\\partition", &Demo::Partition},
    {"\\heal", &Demo::Heal},         {"\\siblings", &Demo::Siblings},
    {"\\load", &Demo::Load},         {"\\help", &Demo::Help},
};

ExitCode RunDemo(const GlobalOptions& global, const DemoOptions& options, const CommandTree& tree) {
  const Output& output = global.output;
  auto directory = MakeTemporaryDirectory("eddy-demo");
  if (!directory) return output.Fail(directory.error());
  ExitCode exit = ExitCode::kFailed;
  {
    Demo demo(options, output, *directory);
    output.Note(fmt::format("Starting {} nodes in {} ...", options.nodes, *directory));
    CatchInterrupt();
    if (const Status ok = demo.Start(); !ok) {
      exit = output.Fail(ok.error());
    } else {
      exit = demo.Talk(tree, global);
    }
  }
  std::error_code failed;
  fs::remove_all(*directory, failed);
  output.Note("The nodes have ended, and their data is deleted.");
  return exit;
}

}  // namespace

void AddDemoCommand(CLI::App* app, Commands* commands) {
  CLI::App* demo = app->add_subcommand(
      "demo", "A throw-away cluster with data and load, and a shell in which to break it");
  const auto options = std::make_shared<DemoOptions>();
  demo->add_option("--nodes", options->nodes, "How many nodes, 1 to 9 [5]")
      ->check(CLI::Range(uint32_t{1}, uint32_t{ChaosCluster::kNodesMax}).description(""))
      ->option_text("COUNT");
  demo->add_option("--keys", options->keys, "How many keys to begin with [500]")
      ->check(CLI::Range(0U, 100'000U).description(""))
      ->option_text("COUNT");
  demo->add_option("--rate", options->rate, "Operations a second of the clients [50]")
      ->check(CLI::Range(0U, kDemoRateMax).description(""))
      ->option_text("COUNT");
  (*commands)[demo] = [app, options](const GlobalOptions& global) {
    return RunDemo(global, *options, TreeOf(*app));
  };
}

}  // namespace eddy::tools
