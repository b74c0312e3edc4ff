#include "server/resp_parser.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace eddy::server {
namespace {

using Command = std::vector<std::string>;

struct Parsed {
  std::vector<Command> commands;
  std::string error;
  size_t left = 0;  // bytes of a command that is not complete

  friend bool operator==(const Parsed&, const Parsed&) = default;
};

// Feeds `input` in pieces of the sizes given (and then the rest), as a connection does: what was
// not taken comes again, at another address.
Parsed Parse(std::string_view input, const std::vector<size_t>& sizes,
             const RespParserLimits& limits = {}) {
  RespParser parser(limits);
  Parsed parsed;
  std::string pending;
  for (size_t piece = 0; piece <= sizes.size(); ++piece) {
    const size_t size = piece < sizes.size() ? std::min(sizes[piece], input.size()) : input.size();
    pending = std::string(pending).append(input.substr(0, size));
    input.remove_prefix(size);
    while (true) {
      const auto taken = parser.Next(pending);
      if (!taken) {
        parsed.error = taken.error().text;
        return parsed;
      }
      if (*taken == 0) break;
      parsed.commands.emplace_back(parser.arguments().begin(), parser.arguments().end());
      pending = pending.substr(*taken);
    }
  }
  parsed.left = pending.size();
  return parsed;
}

std::string ArrayOf(const Command& command) {
  std::string bytes = fmt::format("*{}\r\n", command.size());
  for (const std::string& argument : command) {
    bytes += fmt::format("${}\r\n{}\r\n", argument.size(), argument);
  }
  return bytes;
}

std::vector<size_t> ByteByByte(std::string_view input) {
  return std::vector<size_t>(input.size(), 1);
}

RespParserLimits SmallLimits() {
  return {
      .arguments_max = 5, .bulk_bytes_max = 40, .inline_bytes_max = 50, .command_bytes_max = 120};
}

rc::Gen<std::string> GenPiece() {
  const auto array =
      rc::gen::map(rc::gen::container<Command>(rc::gen::arbitrary<std::string>()), ArrayOf);
  const auto line = rc::gen::map(
      rc::gen::container<std::string>(rc::gen::elementOf(std::string("abc \t\"'\\xn01\r"))),
      [](std::string characters) { return characters + "\n"; });
  const auto fragment = rc::gen::elementOf(std::vector<std::string>{
      "*", "$", "\r\n", "*1\r\n", "*-1\r\n", "$3\r\n", "*99999999999999999999\r\n", "*2\n",
      "$-1\r\n", "$40\r\n", "$41\r\n", "*6\r\n", "PING\r\n", "*1\r\n:1\r\n", "\n", "x"});
  return rc::gen::weightedOneOf<std::string>({{12, rc::gen::resize(5, array)},
                                              {2, array},
                                              {4, line},
                                              {1, fragment},
                                              {1, rc::gen::arbitrary<std::string>()}});
}

RC_GTEST_PROP(RespParser, GivesBackTheCommandsThatWereWritten, ()) {
  const auto commands = *rc::gen::container<std::vector<Command>>(
      rc::gen::nonEmpty(rc::gen::container<Command>(rc::gen::arbitrary<std::string>())));
  std::string input;
  for (const Command& command : commands) input += ArrayOf(command);
  const Parsed parsed = Parse(input, {});
  RC_ASSERT(parsed.error.empty());
  RC_ASSERT(parsed.left == 0u);
  RC_ASSERT(parsed.commands == commands);
}

RC_GTEST_PROP(RespParser, GivesTheSameWhereverTheBytesAreSplit, ()) {
  std::string input;
  for (const std::string& piece : *rc::gen::container<std::vector<std::string>>(GenPiece())) {
    input += piece;
  }
  const RespParserLimits limits = SmallLimits();
  const Parsed whole = Parse(input, {}, limits);
  RC_CLASSIFY(whole.error.empty());
  RC_CLASSIFY(whole.commands.size() > 1);
  RC_ASSERT(Parse(input, ByteByByte(input), limits) == whole);
  const auto sizes = *rc::gen::container<std::vector<size_t>>(rc::gen::inRange<size_t>(0, 20));
  RC_ASSERT(Parse(input, sizes, limits) == whole);
}

TEST(RespParser, SplitsInlineCommandsAsRedisDoes) {
  const auto parse = [](std::string_view line) {
    const Parsed parsed = Parse(line, {});
    EXPECT_EQ(parsed.error, "") << line;
    EXPECT_EQ(parsed.commands.size(), 1u) << line;
    return parsed.commands.empty() ? Command{} : parsed.commands.front();
  };
  EXPECT_EQ(parse("PING\r\n"), (Command{"PING"}));
  EXPECT_EQ(parse("PING\n"), (Command{"PING"}));
  EXPECT_EQ(parse("  set  a\tb \r\n"), (Command{"set", "a", "b"}));
  EXPECT_EQ(parse("set a \"b c\"\r\n"), (Command{"set", "a", "b c"}));
  EXPECT_EQ(parse("set a \"\\x41\\n\\\"\\q\\xzz\"\r\n"), (Command{"set", "a", "A\n\"qxzz"}));
  EXPECT_EQ(parse("set a 'b \\' \\n'\r\n"), (Command{"set", "a", "b ' \\n"}));
  EXPECT_EQ(parse("set \"\" ''\r\n"), (Command{"set", "", ""}));
  EXPECT_EQ(parse("\r\n"), Command{});
  EXPECT_EQ(parse("   \n"), Command{});
}

TEST(RespParser, TakesAnEmptyArrayAsNothing) {
  EXPECT_EQ(Parse("*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n", {}).commands,
            (std::vector<Command>{{}, {}, {"PING"}}));
}

TEST(RespParser, RefusesWhatItCannotUnderstand) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"*x\r\n", "Protocol error: invalid multibulk length"},
      {"*1\n", "Protocol error: invalid multibulk length"},
      {"*\r\n", "Protocol error: invalid multibulk length"},
      {"*+1\r\n", "Protocol error: invalid multibulk length"},
      {"* 1\r\n", "Protocol error: invalid multibulk length"},
      {"*18446744073709551617\r\n", "Protocol error: invalid multibulk length"},
      {"*6\r\n", "Protocol error: invalid multibulk length: 6 arguments, the limit is 5"},
      {"*2147483647\r\n",
       "Protocol error: invalid multibulk length: 2147483647 arguments, the limit is 5"},
      {"*" + std::string(31, '1'), "Protocol error: too big mbulk count string"},
      {"*1\r\n:1\r\n", "Protocol error: expected '$', got ':'"},
      {"*1\r\n\r\n", "Protocol error: expected '$', got '\r'"},
      {"*1\r\n$x\r\n", "Protocol error: invalid bulk length"},
      {"*1\r\n$-1\r\n", "Protocol error: invalid bulk length"},
      {"*1\r\n$9223372036854775808\r\n", "Protocol error: invalid bulk length"},
      {"*1\r\n$9223372036854775807\r\n",
       "Protocol error: invalid bulk length: 9223372036854775807 bytes, the limit is 40"},
      {"*1\r\n$41\r\n", "Protocol error: invalid bulk length: 41 bytes, the limit is 40"},
      {"*1\r\n$" + std::string(31, '0'), "Protocol error: too big bulk count string"},
      {"*1\r\n$1\r\nabc", "Protocol error: a bulk string is not followed by CR LF"},
      {"*1\r\n$0\r\n\n\r", "Protocol error: a bulk string is not followed by CR LF"},
      {"set a \"b\r\n", "Protocol error: unbalanced quotes in request"},
      {"set a \"b\"c\r\n", "Protocol error: unbalanced quotes in request"},
      {"set a 'b\r\n", "Protocol error: unbalanced quotes in request"},
      {std::string(51, 'x'), "Protocol error: too big inline request: no end within 50 bytes"},
  };
  for (const auto& [input, error] : table) {
    EXPECT_EQ(Parse(input, {}, SmallLimits()).error, error) << input;
    EXPECT_EQ(Parse(input, ByteByByte(input), SmallLimits()).error, error) << input;
  }
}

TEST(RespParser, RefusesACommandThatIsTooLargeBeforeItArrives) {
  // Three of the largest arguments do not fit in 120 bytes: known from the third header on.
  const std::string argument = "$40\r\n" + std::string(40, 'x') + "\r\n";
  const std::string input = "*3\r\n" + argument + argument + "$40\r\n";
  EXPECT_EQ(Parse(input, {}, SmallLimits()).error,
            "Protocol error: the command is larger than 120 bytes");
}

TEST(RespParser, TakesWhatIsExactlyAtItsLimits) {
  const RespParserLimits limits = SmallLimits();
  EXPECT_EQ(Parse(ArrayOf({std::string(40, 'x')}), {}, limits).commands.size(), 1u);
  EXPECT_EQ(Parse(ArrayOf({"1", "2", "3", "4", "5"}), {}, limits).commands.size(), 1u);
  EXPECT_EQ(Parse(std::string(50, 'x') + "\n", {}, limits).commands.size(), 1u);
  EXPECT_EQ(Parse(std::string(51, 'x') + "\n", {}, limits).commands.size(), 0u);
}

TEST(RespParser, LooksAtNoByteTwiceHoweverSlowlyALargeCommandArrives) {
  // Quadratic work would take hours here.
  Command command(60'000, "x");
  const std::string input = ArrayOf(command);
  RespParser parser({});
  for (size_t size = 1; size < input.size(); ++size) {
    ASSERT_EQ(parser.Next(std::string_view(input).substr(0, size)), size_t{0});
  }
  ASSERT_EQ(parser.Next(input), input.size());
  EXPECT_EQ(parser.arguments().size(), command.size());
}

}  // namespace
}  // namespace eddy::server
