// hints, hints wait: what nodes keep for others that cannot be reached, and waiting until what is
// kept now has been delivered.
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/command.h"
#include "tools/each_member.h"
#include "tools/interrupt.h"
#include "tools/progress.h"
#include "tools/session.h"
#include "tools/table.h"
#include "tools/text.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

constexpr auto kLookEvery = std::chrono::milliseconds(250);

// What a node keeps for one other.
struct Kept {
  uint64_t keys = 0;
  uint64_t bytes = 0;
  uint64_t noted = 0;      // hints are numbered as they are written, in this life of the holder
  uint64_t delivered = 0;  // those up to this one are gone from there
};
// A node's answer to hints.show.
struct HintsHeld {
  uint64_t life = 0;
  uint64_t bytes_max = 0;
  uint64_t refused = 0;
  std::map<NodeId, Kept> owners;
};

std::vector<Result<HintsHeld>> AskHints(const GlobalOptions& global,
                                        const std::vector<AskedMember>& members) {
  return AskEach<HintsHeld>(
      global, members, "hints.show", Json::object(), [](const Json& json, size_t) {
        HintsHeld held{.life = json.at("life").get<uint64_t>(),
                       .bytes_max = json.at("bytes_max").get<uint64_t>(),
                       .refused = json.at("refused").get<uint64_t>(),
                       .owners = {}};
        for (const Json& row : json.at("owners")) {
          const auto owner = NodeId::FromHex(row.at("owner").get<std::string>());
          if (!owner) continue;
          held.owners[*owner] = {.keys = row.at("keys").get<uint64_t>(),
                                 .bytes = row.at("bytes").get<uint64_t>(),
                                 .noted = row.at("noted").get<uint64_t>(),
                                 .delivered = row.at("delivered").get<uint64_t>()};
        }
        return held;
      });
}

// Names and reachability by id; an id that is no member's is shown by its first digits.
class Owners {
 public:
  explicit Owners(const wire::NodeStatus& status) {
    for (const wire::MemberStatus& member : status.members) members_[member.id] = member;
  }
  std::string Name(NodeId id) const {
    const auto found = members_.find(id);
    return found != members_.end() ? found->second.name : id.ToHex().substr(0, 8);
  }
  std::string State(NodeId id) const {
    const auto found = members_.find(id);
    if (found == members_.end() || found->second.standing == wire::Standing::kRemoved) {
      return "has left: goes to those who own its keys now";
    }
    return found->second.reachable ? "being delivered" : "waits for the owner";
  }

 private:
  std::map<NodeId, wire::MemberStatus> members_;
};

ExitCode ShowHints(const GlobalOptions& global) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  const Owners owners(*status);
  const std::vector<AskedMember> members = MembersOf(*status);
  const auto said = AskHints(global, members);

  Json rows = Json::array();
  Json silent = Json::array();
  std::vector<std::vector<std::string>> table = {{"kept by", "for", "keys", "bytes", "state"}};
  std::vector<std::string> notes;
  for (size_t i = 0; i < members.size(); ++i) {
    const std::string& holder = members[i].name;
    if (!said[i]) {
      silent.push_back({{"name", holder}, {"error", said[i].error().text}});
      notes.push_back(fmt::format("{}  {}", holder, said[i].error().text));
      continue;
    }
    for (const auto& [owner, kept] : said[i]->owners) {
      if (kept.keys == 0) continue;
      rows.push_back({{"holder", holder},
                      {"owner", owners.Name(owner)},
                      {"owner_id", owner.ToHex()},
                      {"keys", kept.keys},
                      {"bytes", kept.bytes},
                      {"bytes_max", said[i]->bytes_max},
                      {"state", owners.State(owner)}});
      table.push_back({holder, owners.Name(owner), FormatCount(kept.keys), FormatBytes(kept.bytes),
                       owners.State(owner)});
    }
    if (said[i]->refused > 0) {
      notes.push_back(
          fmt::format("{} has refused {} hints since its start: it keeps at most {} for a node "
                      "(hint_bytes_max). What was refused is brought by anti-entropy.",
                      holder, FormatCount(said[i]->refused), FormatBytes(said[i]->bytes_max)));
    }
  }
  if (output.json()) {
    output.Json({{"hints", std::move(rows)}, {"silent", silent}});
  } else {
    if (table.size() > 1) {
      for (const std::string& line : FormatTable(table)) output.Line(line);
    } else {
      output.Line(silent.empty() ? "no node keeps anything for another"
                                 : "no node that answers keeps anything for another");
    }
    for (const std::string& note : notes) output.Line(note);
  }
  return silent.empty() ? ExitCode::kOk : ExitCode::kUnhealthy;
}

// The hints that a holder kept for an owner when this command began.
struct Mark {
  uint64_t life = 0;
  uint64_t noted = 0;
  bool gone = false;
};

// Notes what is gone, and returns how many marks are not yet. A holder that has started anew
// numbers its hints anew: what it keeps is marked again.
size_t Compare(const HintsHeld& held, std::map<NodeId, Mark>* marks) {
  size_t left = 0;
  for (auto& [owner, mark] : *marks) {
    if (mark.gone) continue;
    const auto found = held.owners.find(owner);
    if (found == held.owners.end()) {
      mark.gone = true;
    } else if (held.life != mark.life) {
      mark = {.life = held.life, .noted = found->second.noted};
    } else {
      mark.gone = found->second.delivered >= mark.noted;
    }
    if (!mark.gone) ++left;
  }
  return left;
}

ExitCode WaitForHints(const GlobalOptions& global) {
  const Output& output = global.output;
  const auto status = AskStatus(global);
  if (!status) return output.Fail(status.error());
  const std::vector<AskedMember> members = MembersOf(*status);
  CatchInterrupt();
  const auto begun = std::chrono::steady_clock::now();
  Progress progress("owners", output.err_is_terminal() && !output.quiet() && !output.json());
  // By holder; those of one that is away are taken when it is back.
  std::vector<std::optional<std::map<NodeId, Mark>>> marks(members.size());
  size_t total = 0;
  for (;;) {
    const auto said = AskHints(global, members);
    size_t left = 0;
    for (size_t i = 0; i < members.size(); ++i) {
      if (!said[i]) {
        ++left;
        continue;
      }
      if (!marks[i]) {
        marks[i].emplace();
        for (const auto& [owner, kept] : said[i]->owners) {
          (*marks[i])[owner] = {.life = said[i]->life, .noted = kept.noted};
        }
        total += marks[i]->size();
      }
      left += Compare(*said[i], &*marks[i]);
    }
    progress.Update(total - std::min(left, total), total, total - std::min(left, total));
    if (left == 0) {
      progress.Hide();
      const double seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
      if (output.json()) {
        output.Json({{"delivered", true}, {"seconds", seconds}});
      } else {
        output.Line(total == 0 ? "no node kept anything for another"
                               : fmt::format("all hints that were kept when this command began are "
                                             "delivered, after {:.1f} s",
                                             seconds));
      }
      return ExitCode::kOk;
    }
    if (Interrupted()) {
      progress.Hide();
      output.Note(
          "not all are delivered; delivery goes on without this command: 'eddyctl hints' "
          "shows what is left");
      return ExitCode::kInterrupted;
    }
    std::this_thread::sleep_for(kLookEvery);
  }
}

}  // namespace

void AddHintCommands(CLI::App* app, Commands* commands) {
  CLI::App* hints =
      app->add_subcommand("hints", "What nodes keep for others that cannot be reached");
  (*commands)[hints] = ShowHints;
  CLI::App* wait = hints->add_subcommand(
      "wait", "Wait until all hints that are kept now have been delivered to their owners");
  (*commands)[wait] = WaitForHints;
}

}  // namespace eddy::tools
