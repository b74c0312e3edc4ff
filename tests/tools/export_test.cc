#include "tools/export.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eddy::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Fixture {
  explicit Fixture(ExportOptions options = {})
      : keys(
            options,
            [this](wire::ClientRequest request, Export::Done done) {
              EXPECT_TRUE(std::get<wire::GetAction>(request.action).all_siblings);
              pending.emplace_back(request.key, std::move(done));
            },
            [this](const Entry& entry) { found.push_back(FormatJsonLine(entry)); },
            [this](const ListedKey& key, const Error& error) {
              failed.push_back(key.key + ": " + error.text);
            }) {}

  void Answer(size_t index, std::vector<std::string> values, std::optional<Error> error = {}) {
    wire::ClientReply reply;
    reply.error = std::move(error);
    for (std::string& value : values) {
      wire::ShownSibling sibling;
      sibling.value = std::move(value);
      reply.siblings.push_back(std::move(sibling));
    }
    pending[index].second(std::move(reply));
  }

  std::vector<std::pair<std::string, Export::Done>> pending;
  std::vector<std::string> found;
  std::vector<std::string> failed;
  Export keys;
};

TEST(Export, GivesEntriesInTheOrderOfTheirKeysWhateverTheOrderOfTheAnswers) {
  Fixture f;
  for (const char* key : {"a", "b", "c"}) f.keys.Take({.bucket = "x", .key = key});
  f.Answer(2, {"3"});
  EXPECT_THAT(f.found, IsEmpty());
  f.Answer(0, {"1"});
  f.Answer(1, {"2"});
  EXPECT_THAT(f.found, ElementsAre(R"({"bucket":"x","key":"a","value":"1"})",
                                   R"({"bucket":"x","key":"b","value":"2"})",
                                   R"({"bucket":"x","key":"c","value":"3"})"));
  EXPECT_TRUE(f.keys.idle());
}

TEST(Export, TakesNoMoreKeysThanItsWindow) {
  Fixture f({.quorum = {}, .deadline = {}, .window = 2});
  f.keys.Take({.bucket = "x", .key = "a"});
  f.keys.Take({.bucket = "x", .key = "b"});
  EXPECT_FALSE(f.keys.Ready());
  f.Answer(1, {"2"});
  EXPECT_FALSE(f.keys.Ready()) << "the second waits for the first";
  f.Answer(0, {"1"});
  EXPECT_TRUE(f.keys.Ready());
}

TEST(Export, KeepsSiblingsAndCountsWhatIsAbsentOrFailed) {
  Fixture f;
  for (const char* key : {"a", "b", "c"}) f.keys.Take({.bucket = "x", .key = key});
  f.Answer(0, {"1", "2"});
  f.Answer(1, {});
  f.Answer(2, {}, Error{Code::kTimeout, "too late"});
  EXPECT_THAT(f.found,
              ElementsAre(R"({"bucket":"x","key":"a","siblings":[{"value":"1"},{"value":"2"}]})"));
  EXPECT_THAT(f.failed, ElementsAre("c: too late"));
  EXPECT_EQ(f.keys.counts().exported, 1U);
  EXPECT_EQ(f.keys.counts().absent, 1U);
  EXPECT_EQ(f.keys.counts().failed, 1U);
}

}  // namespace
}  // namespace eddy::tools
