#include "server/resp_command.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "server/resp_handlers.h"

namespace eddy::server {

namespace {

using enum RespCommand::Flag;

// Answered by the door itself, whatever the state of the node.
constexpr uint16_t kDoor = kFast | kLoading | kStale;
constexpr uint16_t kRead = kReadOnly | kFast;
constexpr uint16_t kStore = kWrite | kDenyOom;

// A container has the flags of none.
constexpr uint16_t kNoFlags = 0;

constexpr auto kCommands = std::to_array<RespCommand>({
    {"APPEND", 3, kStore | kFast, 1, 1, 1, RespRunAppend, "string", "2.0.0",
     "Appends to a string, making it if absent."},
    {"ASKING", 1, kDoor, 0, 0, 0, RespRunOk, "cluster", "3.0.0",
     "Does nothing: every node takes every command."},
    {"CLIENT", -2, kNoFlags, 0, 0, 0, nullptr, "connection", "2.4.0",
     "Commands about connections."},
    {"CLIENT|GETNAME", 2, kDoor, 0, 0, 0, RespRunClientGetName, "connection", "2.6.9",
     "The name of this connection."},
    {"CLIENT|ID", 2, kDoor, 0, 0, 0, RespRunClientId, "connection", "5.0.0",
     "The number of this connection."},
    {"CLIENT|INFO", 2, kDoor, 0, 0, 0, RespRunClientInfo, "connection", "6.2.0",
     "What is known of this connection."},
    {"CLIENT|KILL", -3, kDoor | kAdmin, 0, 0, 0, RespRunClientKill, "connection", "2.4.0",
     "Closes connections to this node."},
    {"CLIENT|LIST", -2, kDoor | kAdmin, 0, 0, 0, RespRunClientList, "connection", "2.4.0",
     "The connections to this node."},
    {"CLIENT|NO-EVICT", 3, kDoor | kAdmin, 0, 0, 0, RespRunClientNoEvict, "connection", "7.0.0",
     "Remembered, without effect."},
    {"CLIENT|NO-TOUCH", 3, kDoor, 0, 0, 0, RespRunClientNoTouch, "connection", "7.2.0",
     "Remembered, without effect."},
    {"CLIENT|SETINFO", 4, kDoor, 0, 0, 0, RespRunClientSetInfo, "connection", "7.2.0",
     "Names the client's library, or its version."},
    {"CLIENT|SETNAME", 3, kDoor, 0, 0, 0, RespRunClientSetName, "connection", "2.6.9",
     "Names this connection."},
    {"CLUSTER", -2, kNoFlags, 0, 0, 0, nullptr, "cluster", "3.0.0",
     "Commands about the ring, told as Redis Cluster tells it."},
    {"CLUSTER|INFO", 2, kLoading | kStale, 0, 0, 0, RespRunClusterInfo, "cluster", "3.0.0",
     "The state of the ring."},
    {"CLUSTER|KEYSLOT", 3, kDoor, 0, 0, 0, RespRunClusterKeySlot, "cluster", "3.0.0",
     "The hash slot of a key."},
    {"CLUSTER|MYID", 2, kDoor, 0, 0, 0, RespRunClusterMyId, "cluster", "3.0.0",
     "The id of this node."},
    {"CLUSTER|NODES", 2, kLoading | kStale, 0, 0, 0, RespRunClusterNodes, "cluster", "3.0.0",
     "The nodes, and the slots for which each is asked first."},
    {"CLUSTER|SHARDS", 2, kLoading | kStale, 0, 0, 0, RespRunClusterShards, "cluster", "7.0.0",
     "The slots by the replicas that hold them."},
    {"CLUSTER|SLOTS", 2, kLoading | kStale, 0, 0, 0, RespRunClusterSlots, "cluster", "3.0.0",
     "The replicas of each range of slots."},
    {"COMMAND", -1, kLoading | kStale, 0, 0, 0, RespRunCommand, "server", "2.8.13",
     "What is known of every command."},
    {"COMMAND|COUNT", 2, kDoor, 0, 0, 0, RespRunCommandCount, "server", "2.8.13",
     "How many commands there are."},
    {"COMMAND|DOCS", -2, kLoading | kStale, 0, 0, 0, RespRunCommandDocs, "server", "7.0.0",
     "What commands do, for people."},
    {"COMMAND|GETKEYS", -3, kLoading | kStale, 0, 0, 0, RespRunCommandGetKeys, "server", "2.8.13",
     "The keys of a command."},
    {"COMMAND|INFO", -2, kLoading | kStale, 0, 0, 0, RespRunCommandInfo, "server", "2.8.13",
     "What is known of some commands."},
    {"COMMAND|LIST", -2, kLoading | kStale, 0, 0, 0, RespRunCommandList, "server", "7.0.0",
     "The names of the commands."},
    {"CONFIG", -2, kNoFlags, 0, 0, 0, nullptr, "server", "2.0.0",
     "Commands about the configuration."},
    {"CONFIG|GET", -3, kAdmin | kLoading | kStale, 0, 0, 0, RespRunConfigGet, "server", "2.0.0",
     "Settings that clients ask for, in Redis's words."},
    {"DBSIZE", 1, kRead, 0, 0, 0, RespRunDbSize, "server", "1.0.0",
     "An estimate of the keys that this node holds."},
    {"DEL", -2, kWrite, 1, -1, 1, RespRunDel, "generic", "1.0.0", "Deletes keys."},
    {"ECHO", 2, kDoor, 0, 0, 0, RespRunEcho, "connection", "1.0.0", "Answers what it was told."},
    {"EDDY.DEL", -3, kWrite, 2, 2, 1, RespRunEddyDel, "eddy", "0.1.0",
     "Deletes what a context has seen, in any bucket."},
    {"EDDY.GET", -3, kReadOnly, 2, 2, 1, RespRunEddyGet, "eddy", "0.1.0",
     "The context and every sibling of a key, in any bucket."},
    {"EDDY.PUT", -4, kStore, 2, 2, 1, RespRunEddyPut, "eddy", "0.1.0",
     "Replaces what a context has seen, in any bucket."},
    {"EXISTS", -2, kRead, 1, -1, 1, RespRunExists, "generic", "1.0.0",
     "How many of the keys exist."},
    {"EXPIRE", -3, kWrite | kFast, 1, 1, 1, RespRunExpire, "generic", "1.0.0",
     "Lets a key expire, in seconds from now."},
    {"EXPIREAT", -3, kWrite | kFast, 1, 1, 1, RespRunExpireAt, "generic", "1.2.0",
     "Lets a key expire, at a time in seconds."},
    {"EXPIRETIME", 2, kRead, 1, 1, 1, RespRunExpireTime, "generic", "7.0.0",
     "When a key expires, in seconds."},
    {"GET", 2, kRead, 1, 1, 1, RespRunGet, "string", "1.0.0", "The value of a key."},
    {"GETDEL", 2, kWrite | kFast, 1, 1, 1, RespRunGetDel, "string", "6.2.0",
     "The value of a key, which is then deleted."},
    {"GETEX", -2, kWrite | kFast, 1, 1, 1, RespRunGetEx, "string", "6.2.0",
     "The value of a key, whose expiry is then changed."},
    {"GETSET", 3, kStore | kFast, 1, 1, 1, RespRunGetSet, "string", "1.0.0",
     "The old value of a key, after giving it a new one."},
    {"HELLO", -1, kDoor, 0, 0, 0, RespRunHello, "connection", "6.0.0",
     "Chooses the version of the protocol."},
    {"INFO", -1, kLoading | kStale, 0, 0, 0, RespRunInfo, "server", "1.0.0",
     "The state of this node."},
    {"MGET", -2, kRead, 1, -1, 1, RespRunMGet, "string", "1.0.0", "The values of many keys."},
    {"MSET", -3, kStore, 1, -1, 2, RespRunMSet, "string", "1.0.1",
     "Sets many keys, each for itself."},
    {"PERSIST", 2, kWrite | kFast, 1, 1, 1, RespRunPersist, "generic", "2.2.0",
     "Lets a key live for ever."},
    {"PEXPIRE", -3, kWrite | kFast, 1, 1, 1, RespRunPExpire, "generic", "2.6.0",
     "Lets a key expire, in milliseconds from now."},
    {"PEXPIREAT", -3, kWrite | kFast, 1, 1, 1, RespRunPExpireAt, "generic", "2.6.0",
     "Lets a key expire, at a time in milliseconds."},
    {"PEXPIRETIME", 2, kRead, 1, 1, 1, RespRunPExpireTime, "generic", "7.0.0",
     "When a key expires, in milliseconds."},
    {"PING", -1, kDoor, 0, 0, 0, RespRunPing, "connection", "1.0.0",
     "Answers that the door is open."},
    {"PSETEX", 4, kStore, 1, 1, 1, RespRunSetEx, "string", "2.6.0",
     "Sets a key that expires, in milliseconds from now."},
    {"PTTL", 2, kRead, 1, 1, 1, RespRunPTtl, "generic", "2.6.0",
     "How long a key will live, in milliseconds."},
    {"QUIT", -1, kDoor, 0, 0, 0, RespRunQuit, "connection", "1.0.0", "Closes this connection."},
    {"READONLY", 1, kDoor, 0, 0, 0, RespRunOk, "cluster", "3.0.0",
     "Does nothing: every replica takes every command."},
    {"READWRITE", 1, kDoor, 0, 0, 0, RespRunOk, "cluster", "3.0.0",
     "Does nothing: every replica takes every command."},
    {"RESET", 1, kDoor, 0, 0, 0, RespRunReset, "connection", "6.2.0",
     "Makes this connection as new."},
    {"SELECT", 2, kDoor, 0, 0, 0, RespRunSelect, "connection", "1.0.0",
     "Chooses the database, of which there is one: 0."},
    {"SET", -3, kStore, 1, 1, 1, RespRunSet, "string", "1.0.0", "Sets a key."},
    {"SETEX", 4, kStore, 1, 1, 1, RespRunSetEx, "string", "2.0.0",
     "Sets a key that expires, in seconds from now."},
    {"SETNX", 3, kStore | kFast, 1, 1, 1, RespRunSetNx, "string", "1.0.0",
     "Sets a key if a quorum shows none."},
    {"STRLEN", 2, kRead, 1, 1, 1, RespRunStrLen, "string", "2.2.0", "The length of a string."},
    {"TIME", 1, kDoor, 0, 0, 0, RespRunTime, "server", "2.6.0", "The time of this node."},
    {"TOUCH", -2, kRead, 1, -1, 1, RespRunExists, "generic", "3.2.1",
     "How many of the keys exist."},
    {"TTL", 2, kRead, 1, 1, 1, RespRunTtl, "generic", "1.0.0",
     "How long a key will live, in seconds."},
    {"TYPE", 2, kRead, 1, 1, 1, RespRunType, "generic", "1.0.0", "The type of a key's value."},
    {"UNLINK", -2, kWrite | kFast, 1, -1, 1, RespRunDel, "generic", "4.0.0", "Deletes keys."},
    {"WAIT", 3, kNoFlags, 0, 0, 0, RespRunWait, "generic", "3.0.0",
     "How many replicas acknowledged this connection's last write."},
});
static_assert(std::ranges::is_sorted(kCommands, {}, &RespCommand::name));

constexpr std::string_view kWhyNoCounters =
    "an increment made of a read and a write would be lost to a concurrent one, since there is no "
    "leader to order them; keep one key per writer, or use EDDY.GET and EDDY.PUT with a context";
constexpr std::string_view kWhyNoKeys =
    "no node holds all keys; to walk the whole cluster, use 'eddyctl export'";
constexpr std::string_view kWhyNoLayout =
    "the ring's layout is not changed through this door; use eddyctl";
constexpr std::string_view kWhyNoOperator =
    "this is the operator's business, not a client's; see the configuration file and eddyctl";
constexpr std::string_view kWhyNoPubSub =
    "there is no publish and subscribe here; use a message broker beside Eddy";
constexpr std::string_view kWhyNoScripts =
    "a script needs a leader to run it alone; send its commands from the client";
constexpr std::string_view kWhyNoTransactions =
    "a transaction needs a leader to run it alone; send the commands as a plain pipeline "
    "(redis-py: "
    "pipeline(transaction=False)), and use EDDY.GET and EDDY.PUT with a context to see conflicts";
constexpr std::string_view kWhyNoTwoKeys =
    "two keys cannot change as one, since they may live on different nodes; change one after the "
    "other";
constexpr std::string_view kWhyNoTypes = "Eddy holds strings only";
constexpr std::string_view kWhyNoUsers =
    "there are no users and passwords at this door; connect without them, and let only machines "
    "that you trust reach this port";

struct AbsentCommand {
  std::string_view name;
  std::string_view why;
};

constexpr auto kAbsent = std::to_array<AbsentCommand>({
    {"ACL", kWhyNoUsers},
    {"AUTH", kWhyNoUsers},
    {"BGREWRITEAOF", kWhyNoOperator},
    {"BGSAVE", kWhyNoOperator},
    {"BITCOUNT", kWhyNoTypes},
    {"BITFIELD", kWhyNoTypes},
    {"BITOP", kWhyNoTypes},
    {"BITPOS", kWhyNoTypes},
    {"BLPOP", kWhyNoTypes},
    {"BRPOP", kWhyNoTypes},
    {"CLIENT|CACHING", kWhyNoPubSub},
    {"CLIENT|TRACKING", kWhyNoPubSub},
    {"CLUSTER|ADDSLOTS", kWhyNoLayout},
    {"CLUSTER|COUNTKEYSINSLOT", kWhyNoKeys},
    {"CLUSTER|DELSLOTS", kWhyNoLayout},
    {"CLUSTER|FAILOVER", kWhyNoLayout},
    {"CLUSTER|FORGET", kWhyNoLayout},
    {"CLUSTER|GETKEYSINSLOT", kWhyNoKeys},
    {"CLUSTER|MEET", kWhyNoLayout},
    {"CLUSTER|REPLICATE", kWhyNoLayout},
    {"CLUSTER|RESET", kWhyNoLayout},
    {"CLUSTER|SETSLOT", kWhyNoLayout},
    {"CONFIG|RESETSTAT", kWhyNoOperator},
    {"CONFIG|REWRITE", kWhyNoOperator},
    {"CONFIG|SET", kWhyNoOperator},
    {"COPY", kWhyNoTwoKeys},
    {"DEBUG", kWhyNoOperator},
    {"DECR", kWhyNoCounters},
    {"DECRBY", kWhyNoCounters},
    {"DISCARD", kWhyNoTransactions},
    {"EVAL", kWhyNoScripts},
    {"EVALSHA", kWhyNoScripts},
    {"EXEC", kWhyNoTransactions},
    {"FAILOVER", kWhyNoLayout},
    {"FCALL", kWhyNoScripts},
    {"FLUSHALL", kWhyNoKeys},
    {"FLUSHDB", kWhyNoKeys},
    {"FUNCTION", kWhyNoScripts},
    {"GEOADD", kWhyNoTypes},
    {"GEOSEARCH", kWhyNoTypes},
    {"GETBIT", kWhyNoTypes},
    {"HDEL", kWhyNoTypes},
    {"HEXISTS", kWhyNoTypes},
    {"HGET", kWhyNoTypes},
    {"HGETALL", kWhyNoTypes},
    {"HINCRBY", kWhyNoTypes},
    {"HKEYS", kWhyNoTypes},
    {"HLEN", kWhyNoTypes},
    {"HMGET", kWhyNoTypes},
    {"HMSET", kWhyNoTypes},
    {"HSCAN", kWhyNoTypes},
    {"HSET", kWhyNoTypes},
    {"HSETNX", kWhyNoTypes},
    {"HVALS", kWhyNoTypes},
    {"INCR", kWhyNoCounters},
    {"INCRBY", kWhyNoCounters},
    {"INCRBYFLOAT", kWhyNoCounters},
    {"KEYS", kWhyNoKeys},
    {"LINDEX", kWhyNoTypes},
    {"LLEN", kWhyNoTypes},
    {"LPOP", kWhyNoTypes},
    {"LPUSH", kWhyNoTypes},
    {"LRANGE", kWhyNoTypes},
    {"LREM", kWhyNoTypes},
    {"LSET", kWhyNoTypes},
    {"LTRIM", kWhyNoTypes},
    {"MONITOR", kWhyNoOperator},
    {"MOVE", kWhyNoTwoKeys},
    {"MSETNX", kWhyNoTwoKeys},
    {"MULTI", kWhyNoTransactions},
    {"PFADD", kWhyNoTypes},
    {"PFCOUNT", kWhyNoTypes},
    {"PSUBSCRIBE", kWhyNoPubSub},
    {"PUBLISH", kWhyNoPubSub},
    {"PUBSUB", kWhyNoPubSub},
    {"PUNSUBSCRIBE", kWhyNoPubSub},
    {"RANDOMKEY", kWhyNoKeys},
    {"RENAME", kWhyNoTwoKeys},
    {"RENAMENX", kWhyNoTwoKeys},
    {"REPLICAOF", kWhyNoLayout},
    {"RPOP", kWhyNoTypes},
    {"RPUSH", kWhyNoTypes},
    {"SADD", kWhyNoTypes},
    {"SAVE", kWhyNoOperator},
    {"SCAN", kWhyNoKeys},
    {"SCARD", kWhyNoTypes},
    {"SCRIPT", kWhyNoScripts},
    {"SETBIT", kWhyNoTypes},
    {"SHUTDOWN", kWhyNoOperator},
    {"SISMEMBER", kWhyNoTypes},
    {"SLAVEOF", kWhyNoLayout},
    {"SMEMBERS", kWhyNoTypes},
    {"SPOP", kWhyNoTypes},
    {"SPUBLISH", kWhyNoPubSub},
    {"SREM", kWhyNoTypes},
    {"SSUBSCRIBE", kWhyNoPubSub},
    {"SUBSCRIBE", kWhyNoPubSub},
    {"SUNSUBSCRIBE", kWhyNoPubSub},
    {"SWAPDB", kWhyNoTwoKeys},
    {"UNSUBSCRIBE", kWhyNoPubSub},
    {"UNWATCH", kWhyNoTransactions},
    {"WATCH", kWhyNoTransactions},
    {"XADD", kWhyNoTypes},
    {"XRANGE", kWhyNoTypes},
    {"XREAD", kWhyNoTypes},
    {"ZADD", kWhyNoTypes},
    {"ZCARD", kWhyNoTypes},
    {"ZPOPMIN", kWhyNoTypes},
    {"ZRANGE", kWhyNoTypes},
    {"ZREM", kWhyNoTypes},
    {"ZSCORE", kWhyNoTypes},
});
static_assert(std::ranges::is_sorted(kAbsent, {}, &AbsentCommand::name));

constexpr size_t kShownBytesMax = 128;

// One or two words as the tables have them, without allocating.
class TableName {
 public:
  explicit TableName(std::string_view word) { Append(word); }

  void AppendSubcommand(std::string_view word) {
    Append("|");
    Append(word);
  }
  // Empty for what is longer than any name.
  std::string_view view() const {
    return fits_ ? std::string_view(bytes_.data(), size_) : std::string_view();
  }

 private:
  void Append(std::string_view word) {
    fits_ = fits_ && word.size() <= bytes_.size() - size_;
    if (!fits_) return;
    for (const char c : word) {
      bytes_[size_++] = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
  }

  std::array<char, 32> bytes_;
  size_t size_ = 0;
  bool fits_ = true;
};

template <class Table>
auto Find(const Table& table, std::string_view name) -> decltype(table.data()) {
  const auto found =
      std::ranges::lower_bound(table, name, {}, [](const auto& row) { return row.name; });
  return found == table.end() || found->name != name ? nullptr : &*found;
}

bool HasSubcommands(const RespCommand& command) {
  const RespCommand* next = &command + 1;
  return next != kCommands.data() + kCommands.size() && next->name.size() > command.name.size() &&
         next->name.starts_with(command.name) && next->name[command.name.size()] == '|';
}

}  // namespace

bool RespCommand::TakesArguments(size_t words) const {
  const auto count = static_cast<int>(std::min(words, size_t{INT32_MAX}));
  return arity < 0 ? count >= -arity : count == arity;
}

std::string RespCommand::LowerName() const {
  std::string lower(name);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::span<const RespCommand> RespCommands() { return kCommands; }

const RespCommand* FindRespCommand(std::span<const std::string_view> words) {
  TableName name(words[0]);
  const RespCommand* command =
      words[0].find('|') == std::string_view::npos ? Find(kCommands, name.view()) : nullptr;
  if (command == nullptr || words.size() < 2 || !HasSubcommands(*command)) return command;
  name.AppendSubcommand(words[1]);
  return Find(kCommands, name.view());
}

std::string RespUnknownCommandText(std::span<const std::string_view> words) {
  TableName name(words[0]);
  const AbsentCommand* absent = Find(kAbsent, name.view());
  const bool is_container = absent == nullptr && Find(kCommands, name.view()) != nullptr;
  if (is_container && words.size() > 1) {
    name.AppendSubcommand(words[1]);
    absent = Find(kAbsent, name.view());
  }
  if (absent != nullptr) {
    std::string shown(absent->name);
    std::ranges::replace(shown, '|', ' ');
    return fmt::format("ERR {} is not supported: {}", shown, absent->why);
  }
  if (is_container && words.size() > 1) {
    return fmt::format("ERR unknown subcommand '{}' of {}", words[1].substr(0, kShownBytesMax),
                       Find(kCommands, TableName(words[0]).view())->name);
  }
  std::string text = fmt::format("ERR unknown command '{}', with args beginning with: ",
                                 words[0].substr(0, kShownBytesMax));
  for (const std::string_view word : words.subspan(1)) {
    if (text.size() >= 2 * kShownBytesMax) break;
    text += fmt::format("'{}' ", word.substr(0, kShownBytesMax));
  }
  return text;
}

}  // namespace eddy::server
