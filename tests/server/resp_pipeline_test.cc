// Whatever the order in which a node completes what it is asked, a connection sees what Redis would
// have answered: random pipelines against a sequential model.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/server/redis_model.h"
#include "tests/server/resp_fakes.h"

namespace eddy::server {
namespace {

using Command = std::vector<std::string>;

rc::Gen<std::string> GenKey() {
  return rc::gen::elementOf(std::vector<std::string>{"a", "b", "c", "{a}d", "e"});
}

rc::Gen<std::string> GenValue() {
  return rc::gen::elementOf(std::vector<std::string>{"", "x", "yy", "zzz", "\r\n$3\r\n"});
}

rc::Gen<std::string> GenTime(const std::string& unit) {
  // Around the model's present of 1,700,000,000 s.
  if (unit == "EXAT") {
    return rc::gen::elementOf(std::vector<std::string>{"1699999999", "1700000001", "1700000100",
                                                       "0", "x", "9223372036854775807"});
  }
  if (unit == "PXAT") {
    return rc::gen::elementOf(std::vector<std::string>{
        "1699999999999", "1700000000500", "1700000100000", "-5", "9223372036854775807"});
  }
  return rc::gen::elementOf(std::vector<std::string>{"1", "2", "100", "1500", "0", "-1", "",
                                                     "9223372036854775807", "9223372036854775"});
}

Command DrawOptions(const std::vector<std::string>& words) {
  Command options;
  for (int count = *rc::gen::inRange(0, 4); count > 1; --count) {
    const std::string word = *rc::gen::elementOf(words);
    options.push_back(word);
    if (word.size() >= 2 && (word.ends_with('X') || word.ends_with("AT")) && word != "XX" &&
        word != "NX") {
      options.push_back(*GenTime(word));
    }
  }
  return options;
}

Command DrawCommand() {
  const std::string name = *rc::gen::elementOf(std::vector<std::string>{
      "GET",         "GET",      "SET",       "SET",    "SET",    "GETSET",  "GETDEL",
      "GETEX",       "SETNX",    "SETEX",     "PSETEX", "MGET",   "MSET",    "DEL",
      "UNLINK",      "EXISTS",   "TOUCH",     "STRLEN", "APPEND", "TYPE",    "EXPIRE",
      "PEXPIRE",     "EXPIREAT", "PEXPIREAT", "TTL",    "PTTL",   "PERSIST", "EXPIRETIME",
      "PEXPIRETIME", "PING",     "ECHO",      "append", "Get"});
  Command command{name, *GenKey()};
  const auto add = [&](std::string word) { command.push_back(std::move(word)); };
  const auto add_all = [&](const Command& words) {
    command.insert(command.end(), words.begin(), words.end());
  };
  if (name == "SET") {
    add(*GenValue());
    add_all(DrawOptions({"NX", "XX", "GET", "KEEPTTL", "EX", "PX", "EXAT", "PXAT", "ex", "ZZ"}));
  } else if (name == "GETSET" || name == "SETNX" || name == "APPEND" || name == "append") {
    add(*GenValue());
  } else if (name == "GETEX") {
    add_all(DrawOptions({"EX", "PX", "EXAT", "PXAT", "PERSIST"}));
  } else if (name == "SETEX" || name == "PSETEX") {
    add(*GenTime("EX"));
    add(*GenValue());
  } else if (name == "MSET") {
    add(*GenValue());
    for (int more = *rc::gen::inRange(0, 3); more > 0; --more) {
      add(*GenKey());
      add(*GenValue());
    }
    if (*rc::gen::inRange(0, 10) == 0) add("odd");
  } else if (name == "MGET" || name == "DEL" || name == "UNLINK" || name == "EXISTS" ||
             name == "TOUCH") {
    for (int more = *rc::gen::inRange(0, 4); more > 0; --more) add(*GenKey());
  } else if (name.ends_with("EXPIRE") || name.ends_with("EXPIREAT")) {
    const bool absolute = name.ends_with("AT");
    add(*GenTime(absolute ? (name.starts_with('P') ? "PXAT" : "EXAT") : "EX"));
    add_all(DrawOptions({"NX", "XX", "GT", "LT", "nx", "QQ"}));
  }
  if (*rc::gen::inRange(0, 50) == 0) command.pop_back();
  return command;
}

RC_GTEST_PROP(RespPipeline, AnswersAsRedisWouldWhateverTheOrderOfCompletion, ()) {
  FakeFront front(*rc::gen::arbitrary<uint64_t>());
  Random random(*rc::gen::arbitrary<uint64_t>());
  RespOptions options;
  options.pipeline.operations_max = *rc::gen::inRange<size_t>(1, 20);
  options.pipeline.commands_max = *rc::gen::inRange<size_t>(1, 40);
  options.output_bytes_max = *rc::gen::inRange<size_t>(1, 200);
  FakeConnection connection(&front, options);
  RedisModel model(front.now().wall.time_since_epoch().count());

  for (int batch = *rc::gen::inRange(1, 8); batch > 0; --batch) {
    std::string input;
    std::string expected;
    for (int count = *rc::gen::inRange(1, 60); count > 0; --count) {
      const Command command = DrawCommand();
      input += RespArray(command);
      expected += model.Run(command);
    }
    for (size_t at = 0; at < input.size();) {
      const size_t size = random.Chance(1, 3) ? input.size() : random.Between(1, 60);
      connection.Receive(std::string_view(input).substr(at, size));
      at += size;
      for (uint64_t steps = random.Below(10); steps > 0 && front.Step(); --steps) {
        connection.Turn();
      }
      connection.Turn();
    }
    do {
      connection.Turn();
    } while (front.Step());
    RC_ASSERT(connection.TakeSent() == expected);
    RC_ASSERT(connection.input().empty());
    RC_ASSERT(!connection.session().awaiting());
    RC_ASSERT(!connection.session().paused());
    RC_ASSERT(front.stale_contexts() == 0u);
    RC_ASSERT(front.pending_max() <= options.pipeline.operations_max);

    const auto pause = std::chrono::milliseconds(*rc::gen::elementOf(std::vector{0, 600, 2100}));
    front.Advance(pause);
    model.Advance(pause.count());
  }
}

}  // namespace
}  // namespace eddy::server
