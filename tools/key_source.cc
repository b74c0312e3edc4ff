#include "tools/key_source.h"

#include <poll.h>

#include <utility>

#include <fmt/format.h>

namespace eddy::tools {

Result<KeySource::State> KeysOfFile::Next(ListedKey* key) {
  for (;;) {
    const auto state = reader_.Next(&line_);
    if (!state || *state != State::kMore) return state;
    if (line_.text.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto listed = ParseKeyLine(line_.text, bucket_default_);
    if (!listed) {
      return Fail(listed.error().code,
                  fmt::format("line {}: {}", line_.number, listed.error().text));
    }
    *key = std::move(*listed);
    return State::kMore;
  }
}

void KeysOfFile::Wait() {
  pollfd readable{.fd = reader_.fd(), .events = POLLIN, .revents = 0};
  poll(&readable, 1, 10);
}

KeysOfCluster::KeysOfCluster(const GlobalOptions& global,
                             const std::vector<wire::MemberStatus>& members, std::string bucket)
    : global_(global), bucket_(std::move(bucket)), merge_(members.size()) {
  for (const wire::MemberStatus& member : members) {
    listers_.push_back({.name = member.name,
                        .address = {.host = member.doors.host, .port = member.doors.native},
                        .connection = nullptr,
                        .cursor = {}});
  }
}

Result<KeySource::State> KeysOfCluster::Next(ListedKey* key) {
  while (const auto wanting = merge_.Wanting()) FetchPage(*wanting);
  auto next = merge_.Next();
  if (!next) return State::kEnd;
  *key = std::move(*next);
  return State::kMore;
}

void KeysOfCluster::FetchPage(size_t source) {
  Lister& lister = listers_[source];
  auto reply = Ask(&lister);
  // Once more on a new connection: pages can be asked for again.
  if (!reply) reply = Ask(&lister);
  if (reply && reply->error) reply = std::unexpected(*reply->error);
  if (!reply) {
    left_out_.push_back(fmt::format("{}: {}", lister.name, reply.error().text));
    merge_.Add(source, {}, true);
    return;
  }
  lister.cursor = std::move(reply->cursor);
  merge_.Add(source, reply->keys, lister.cursor.empty());
}

Result<wire::KeyListReply> KeysOfCluster::Ask(Lister* lister) {
  const client::TimePoint deadline = client::TimeIn(global_.timeout);
  const auto failed = [&](const Error& error) {
    lister->connection.reset();
    return std::unexpected(error);
  };
  if (lister->connection == nullptr) {
    auto connection = client::Connection::Connect(
        lister->address, {.cluster = global_.cluster, .software = "eddyctl " EDDY_VERSION},
        deadline);
    if (!connection) return failed(connection.error());
    lister->connection = std::move(*connection);
  }
  const RequestId id{.client = 1, .sequence = ++requests_};
  const Status sent = lister->connection->SendKeyListRequest(
      {.id = id, .bucket = bucket_, .cursor = lister->cursor});
  if (!sent) return failed(sent.error());
  auto reply = lister->connection->Receive(deadline);
  if (!reply) return failed(reply.error());
  auto* keys = std::get_if<wire::KeyListReply>(&*reply);
  if (keys == nullptr || keys->id != id) {
    return failed({Code::kCorruption, "the node answered what was not asked"});
  }
  return std::move(*keys);
}

}  // namespace eddy::tools
