// tasks list, wait, cancel: what the members do that takes long, whoever began it.
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "tools/command.h"
#include "tools/each_member.h"
#include "tools/interrupt.h"
#include "tools/progress.h"
#include "tools/session.h"
#include "tools/table.h"
#include "tools/tasks.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

constexpr auto kLookEvery = std::chrono::milliseconds(250);

// What all members say.
struct TasksSeen {
  std::vector<LongTask> tasks;
  std::vector<std::pair<std::string, std::string>> silent;  // who did not answer, and why
};

TasksSeen Look(const GlobalOptions& global, const std::vector<AskedMember>& members) {
  const auto said = AskEach<std::vector<LongTask>>(
      global, members, "tasks.show", Json::object(),
      [&](const Json& json, size_t i) { return ReadTasks(members[i].name, json); });
  TasksSeen seen;
  for (size_t i = 0; i < members.size(); ++i) {
    if (said[i]) {
      seen.tasks.insert(seen.tasks.end(), said[i]->begin(), said[i]->end());
    } else {
      seen.silent.emplace_back(members[i].name, said[i].error().text);
    }
  }
  return seen;
}

std::vector<std::string> NamesOf(const std::vector<AskedMember>& members) {
  std::vector<std::string> names;
  for (const AskedMember& member : members) names.push_back(member.name);
  return names;
}

Result<std::vector<TaskName>> ParseNames(const std::vector<std::string>& words,
                                         const std::vector<AskedMember>& members) {
  std::vector<TaskName> names;
  for (const std::string& word : words) {
    auto name = ParseTaskName(word, NamesOf(members));
    if (!name) return std::unexpected(name.error());
    names.push_back(*std::move(name));
  }
  return names;
}

std::string StateOf(const LongTask& task) {
  if (task.kind == "hints") {
    return task.waits ? fmt::format("waits for {}", task.for_node)
                      : fmt::format("being delivered to {}", task.for_node);
  }
  if (task.recurs) return "under way, as a matter of routine";
  return task.can_be_cancelled ? "under way; can be cancelled" : "under way";
}

Json TaskObject(const LongTask& task) {
  Json object = {{"task", NameOf(task)}, {"node", task.node}, {"kind", task.kind}};
  if (task.kind == "hints") object.update({{"for", task.for_node}, {"waits", task.waits}});
  if (task.done) object["done"] = *task.done;
  if (task.total) object["total"] = *task.total;
  if (task.left) object["left"] = *task.left;
  if (!task.unit.empty()) object["unit"] = task.unit;
  if (task.recurs) object["recurs"] = true;
  object["can_be_cancelled"] = task.can_be_cancelled;
  return object;
}

ExitCode List(const GlobalOptions& global) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  const TasksSeen seen = Look(global, MembersOf(*status));
  if (output.json()) {
    Json tasks = Json::array();
    for (const LongTask& task : seen.tasks) tasks.push_back(TaskObject(task));
    Json silent = Json::array();
    for (const auto& [name, error] : seen.silent) {
      silent.push_back({{"name", name}, {"error", error}});
    }
    output.Json({{"tasks", std::move(tasks)}, {"silent", std::move(silent)}});
  } else {
    std::vector<std::vector<std::string>> rows = {{"task", "progress", "state"}};
    for (const LongTask& task : seen.tasks) {
      const std::string progress = SayProgress(task);
      rows.push_back({NameOf(task), progress.empty() ? "-" : progress, StateOf(task)});
    }
    if (rows.size() > 1) {
      for (const std::string& line : FormatTable(rows)) output.Line(line);
    } else {
      output.Line(seen.silent.empty() ? "no node does anything that takes long"
                                      : "no node that answers does anything that takes long");
    }
    for (const auto& [name, error] : seen.silent) output.Line(name + "  " + error);
  }
  return seen.silent.empty() ? ExitCode::kOk : ExitCode::kUnhealthy;
}

// Those that are waited for; a member that does not answer may have some. Where all are, what comes
// again and again is not: of large data there is always some under way.
struct Left {
  std::vector<std::string> tasks;
  std::vector<std::string> silent;

  size_t size() const { return tasks.size() + silent.size(); }
};

Left LeftOf(const TasksSeen& seen, const std::vector<TaskName>& names) {
  Left left;
  for (const LongTask& task : seen.tasks) {
    const bool named =
        std::ranges::any_of(names, [&](const TaskName& name) { return name.Means(task); });
    if (named || (names.empty() && !task.recurs)) left.tasks.push_back(NameOf(task));
  }
  for (const auto& [node, error] : seen.silent) {
    const bool named = std::ranges::any_of(
        names, [&](const TaskName& name) { return name.node.empty() || name.node == node; });
    if (named || names.empty()) left.silent.push_back(node);
  }
  return left;
}

ExitCode Wait(const GlobalOptions& global, const std::vector<std::string>& words) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  const std::vector<AskedMember> members = MembersOf(*status);
  const auto names = ParseNames(words, members);
  if (!names) return output.Fail(names.error());
  CatchInterrupt();
  const auto begun = std::chrono::steady_clock::now();
  Progress progress("tasks", output.err_is_terminal() && !output.quiet() && !output.json());
  size_t most = 0;
  for (;;) {
    const Left left = LeftOf(Look(global, members), *names);
    most = std::max(most, left.size());
    progress.Update(most - left.size(), most, most - left.size());
    if (left.size() == 0) {
      progress.Hide();
      const double seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
      if (output.json()) {
        output.Json({{"ended", true}, {"seconds", seconds}});
      } else {
        output.Line(most == 0 ? "nothing of that is under way"
                              : fmt::format("all of it has ended, after {:.1f} s", seconds));
      }
      return ExitCode::kOk;
    }
    if (Interrupted()) {
      progress.Hide();
      std::vector<std::string> said = left.tasks;
      for (const std::string& node : left.silent) said.push_back(node + " (does not answer)");
      output.Note(fmt::format("not all has ended, and it goes on without this command: {}",
                              fmt::join(said, ", ")));
      return ExitCode::kInterrupted;
    }
    std::this_thread::sleep_for(kLookEvery);
  }
}

ExitCode Cancel(const GlobalOptions& global, const std::string& word) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  const std::vector<AskedMember> members = MembersOf(*status);
  const auto name = ParseTaskName(word, NamesOf(members));
  if (!name) return output.Fail(name.error());
  std::vector<AskedMember> asked;
  for (const AskedMember& member : members) {
    if (name->node.empty() || name->node == member.name) asked.push_back(member);
  }
  const auto said = AskEach<uint64_t>(
      global, asked, "tasks.cancel", {{"kind", name->kind}},
      [](const Json& json, size_t) { return json.at("cancelled").get<uint64_t>(); });
  uint64_t cancelled = 0;
  std::vector<std::string> nodes;
  Json silent = Json::array();
  for (size_t i = 0; i < asked.size(); ++i) {
    if (!said[i]) {
      // A refusal is the same at each.
      if (said[i].error().code == Code::kConflict) return output.Fail(said[i].error());
      silent.push_back({{"name", asked[i].name}, {"error", said[i].error().text}});
      if (!output.json()) output.Aside(asked[i].name + "  " + said[i].error().text);
      continue;
    }
    cancelled += *said[i];
    if (*said[i] > 0) nodes.push_back(asked[i].name);
  }
  if (output.json()) {
    output.Json({{"cancelled", cancelled}, {"nodes", nodes}, {"silent", silent}});
  } else {
    output.Line(nodes.empty() ? fmt::format("there was no {} to cancel", word)
                              : fmt::format("cancelled at {}: {} comparisons go back to their "
                                            "usual turn",
                                            fmt::join(nodes, ", "), cancelled));
  }
  return silent.empty() ? ExitCode::kOk : ExitCode::kUnhealthy;
}

}  // namespace

void AddTaskCommands(CLI::App* app, Commands* commands) {
  CLI::App* tasks = app->add_subcommand("tasks", "What nodes do that takes long");
  (*commands)[tasks] = List;
  (*commands)[tasks->add_subcommand("list", "The same")] = List;

  CLI::App* wait = tasks->add_subcommand(
      "wait", "Wait until nothing of it is under way any more, routine excepted");
  const auto names = std::make_shared<std::vector<std::string>>();
  wait->add_option("TASK", *names, "Only these: KIND, or NODE/KIND, as tasks shows them")
      ->option_text(" ");
  (*commands)[wait] = [names](const GlobalOptions& global) { return Wait(global, *names); };

  CLI::App* cancel = tasks->add_subcommand("cancel", "End a repair that somebody has begun");
  const auto name = std::make_shared<std::string>();
  cancel->add_option("TASK", *name, "KIND, or NODE/KIND")->required()->option_text(" ");
  (*commands)[cancel] = [name](const GlobalOptions& global) { return Cancel(global, *name); };
}

}  // namespace eddy::tools
