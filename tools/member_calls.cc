#include "tools/member_calls.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/interrupt.h"
#include "tools/progress.h"

namespace eddy::tools {

namespace {

using Json = nlohmann::ordered_json;

constexpr auto kLookEvery = std::chrono::milliseconds(250);

// How things are, over all members that answer.
struct Moving {
  uint64_t fills = 0;
  uint64_t filled = 0;
  bool settled = true;
  uint64_t version = 0;
  std::set<std::string> awaited;
};

// Nothing, where nobody answers that is a member.
std::optional<Moving> LookAtMoves(const GlobalOptions& global,
                                  const std::vector<client::Address>& addresses) {
  Moving moving;
  std::vector<Json> answers;
  for (const auto& said : AskAdminOfAll(global, addresses, "cluster.show", "{}")) {
    if (!said) continue;
    Json json = Json::parse(*said, nullptr, false);
    if (json.is_object() && json.value("member", false)) answers.push_back(std::move(json));
  }
  if (answers.empty()) return std::nullopt;
  const Json* newest = nullptr;
  for (const Json& answer : answers) {
    const uint64_t version = answer.at("versions").back().get<uint64_t>();
    if (newest == nullptr || version > moving.version) newest = &answer;
    moving.version = std::max(moving.version, version);
  }
  for (const Json& answer : answers) {
    moving.fills += answer.at("fills").get<uint64_t>();
    moving.filled += answer.at("filled").get<uint64_t>();
    moving.settled = moving.settled && answer.at("versions").size() == 1 &&
                     answer.at("versions").back().get<uint64_t>() == moving.version &&
                     answer.at("orders").empty() && answer.at("handed_over").get<bool>();
  }
  for (const Json& member : newest->at("members")) {
    const bool done = member.at("reading").get<uint64_t>() == moving.version;
    if (!done) moving.awaited.insert(member.at("name").get<std::string>());
    moving.settled = moving.settled && done && !member.at("leaving").get<bool>();
  }
  return moving;
}

}  // namespace

Result<Json> AskOne(const GlobalOptions& global, const client::Address& address,
                    const std::string& call, const Json& arguments) {
  auto answer = std::move(AskAdminOfAll(global, {address}, call, arguments.dump()).front());
  if (!answer) return std::unexpected(answer.error());
  Json json = Json::parse(*answer, nullptr, false);
  if (!json.is_object()) return std::unexpected(kUnreadable);
  return json;
}

std::vector<client::Address> AddressesOfMembers(const wire::NodeStatus& status) {
  std::vector<client::Address> addresses;
  for (const wire::MemberStatus& member : CurrentMembers(status)) {
    addresses.push_back({.host = member.doors.host, .port = member.doors.native});
  }
  return addresses;
}

client::Address AddressOfSelf(const wire::NodeStatus& status) {
  for (const wire::MemberStatus& member : status.members) {
    if (member.id == status.node) return {.host = member.doors.host, .port = member.doors.native};
  }
  return {};
}

ExitCode WaitUntilSettled(const GlobalOptions& global,
                          const std::vector<client::Address>& addresses) {
  const Output& output = global.output;
  CatchInterrupt();
  Progress progress("comparisons", output.err_is_terminal() && !output.quiet() && !output.json());
  // An order begins to show only a moment after it was given.
  int settled = 0;
  for (;;) {
    std::optional<Moving> moving;
    try {
      moving = LookAtMoves(global, addresses);
    } catch (const Json::exception&) {
      return output.Fail(kUnreadable);
    }
    if (!moving) {
      progress.Hide();
      return output.Fail({Code::kUnavailable, "no member answers"}, ExitCode::kUnhealthy);
    }
    progress.Update(moving->filled, moving->fills, moving->filled);
    settled = moving->settled ? settled + 1 : 0;
    if (settled == 3) {
      progress.Hide();
      if (output.json()) {
        output.Json({{"layout_version", moving->version}, {"settled", true}});
      } else {
        output.Line(fmt::format("Layout {} is in force, and every member holds what it gives it.",
                                moving->version));
      }
      return ExitCode::kOk;
    }
    if (Interrupted()) {
      progress.Hide();
      output.Note(fmt::format("Not done yet, and it goes on without this command; waiting for {}",
                              moving->awaited.empty()
                                  ? "old owners to hand over"
                                  : fmt::format("{}", fmt::join(moving->awaited, ", "))));
      return ExitCode::kInterrupted;
    }
    std::this_thread::sleep_for(kLookEvery);
  }
}

ExitCode Watch(const GlobalOptions& global, const std::function<ExitCode()>& show) {
  constexpr int kLooksBetween = 4;
  CatchInterrupt();
  for (bool first = true; !Interrupted(); first = false) {
    if (global.output.out_is_terminal() && !global.output.json()) {
      fmt::print("\033[H\033[2J");  // an empty screen
    } else if (!first && !global.output.json()) {
      global.output.Line("");
    }
    show();
    std::fflush(stdout);
    for (int look = 0; look < kLooksBetween && !Interrupted(); ++look) {
      std::this_thread::sleep_for(kLookEvery);
    }
  }
  return ExitCode::kOk;
}

}  // namespace eddy::tools
