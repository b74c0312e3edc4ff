// What a line of the shell means, and what may follow what has been typed.
#include "tools/shell.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/completion.h"

namespace eddy::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> Split(std::string_view line) {
  const auto words = SplitWords(line);
  EXPECT_TRUE(words.has_value()) << line;
  return words.value_or(std::vector<std::string>());
}

TEST(Shell, SplitsWordsAsAShellDoes) {
  EXPECT_THAT(Split(""), IsEmpty());
  EXPECT_THAT(Split("  \t "), IsEmpty());
  EXPECT_THAT(Split("put  k\tv "), ElementsAre("put", "k", "v"));
  EXPECT_THAT(Split("put 'a b' \"c 'd'\""), ElementsAre("put", "a b", "c 'd'"));
  EXPECT_THAT(Split("put a' 'b \"\""), ElementsAre("put", "a b", ""));
  EXPECT_THAT(Split(R"(put a\ b "\"\\\n" '\n')"), ElementsAre("put", "a b", R"("\\n)", R"(\n)"));
  EXPECT_THAT(Split(R"(\kill 2)"), ElementsAre(R"(\kill)", "2"));
  EXPECT_THAT(Split(R"(  \kill 2)"), ElementsAre(R"(\kill)", "2"));
}

TEST(Shell, RefusesALineThatDoesNotEnd) {
  for (const std::string_view line : {"put 'a", "put \"a", "put a\\", "put \"a\\\""}) {
    EXPECT_FALSE(SplitWords(line)) << line;
  }
}

CommandTree ExampleTree() {
  const CommandOption node{{"--node"}, "HOST[:PORT]", "A node's address, 'quoted': here"};
  const CommandOption all{{"-a", "--all"}, "", "All of them"};
  const CommandOption file{{"--file"}, "FILE", "From a file"};
  return {.name = "",
          .about = "Talks.",
          .options = {node},
          .arguments = {},
          .parts = {{"get", "Print", {all}, {{{}, "KEY", "The key"}}, {}},
                    {"put", "Store", {file}, {{{}, "KEY", ".The key"}}, {}},
                    {"cluster",
                     "Change",
                     {},
                     {},
                     {{"leave", "Let go", {all}, {}, {}}, {"join", "Let in", {}, {}, {}}}},
                    {"help", "Explain", {}, {}, {}}}};
}

TEST(Completions, AreTheVerbsThePartsOrTheOptions) {
  const CommandTree tree = ExampleTree();
  EXPECT_THAT(CompletionsOf(tree, {}, ""), ElementsAre("cluster", "get", "help", "put"));
  EXPECT_THAT(CompletionsOf(tree, {}, "p"), ElementsAre("put"));
  EXPECT_THAT(CompletionsOf(tree, {"cluster"}, ""), ElementsAre("join", "leave"));
  EXPECT_THAT(CompletionsOf(tree, {"--node", "n1", "cluster"}, "l"), ElementsAre("leave"));
  EXPECT_THAT(CompletionsOf(tree, {"cluster", "leave"}, "--"), ElementsAre("--all", "--node"));
  EXPECT_THAT(CompletionsOf(tree, {"get"}, "--a"), ElementsAre("--all"));
  EXPECT_THAT(CompletionsOf(tree, {"get"}, ""), IsEmpty());
  EXPECT_THAT(CompletionsOf(tree, {"help"}, "g"), ElementsAre("get"));
  EXPECT_THAT(CompletionsOf(tree, {"help", "cluster"}, ""), ElementsAre("join", "leave"));
  EXPECT_THAT(CompletionsOf(tree, {"no", "such"}, "x"), IsEmpty());
}

TEST(Completions, ScriptsNameEveryVerbAndQuoteWhatShellsWouldRead) {
  const CommandTree tree = ExampleTree();
  for (const std::string& script :
       {BashCompletion(tree), ZshCompletion(tree), FishCompletion(tree)}) {
    for (const char* word : {"cluster", "leave", "--all", "file"}) {
      if (std::string_view(word) == "--all" && script.starts_with("# fish")) continue;
      EXPECT_THAT(script, HasSubstr(word));
    }
    EXPECT_THAT(script, Not(HasSubstr("address, 'quoted'")));
  }
}

TEST(ManualPage, HasEveryVerbAndNoLineThatIsAMacroByMistake) {
  const std::string page = ManualPage(ExampleTree(), "1.2", "  0 done\n  .5 odd");
  for (const char* text :
       {".TH EDDYCTL 1", "cluster leave", "\\-\\-all", "Let in", "\\&.The key"}) {
    EXPECT_THAT(page, HasSubstr(text));
  }
}

}  // namespace
}  // namespace eddy::tools
