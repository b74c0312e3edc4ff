#include "tools/import.h"

#include <deque>
#include <map>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eddy::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A cluster that answers when the test says so, and keeps siblings as a bucket of that kind does:
// the context of a reply is the number of values that it showed.
class FakeCluster {
 public:
  Import::Submit submit() {
    return [this](wire::ClientRequest request, Import::Done done) {
      pending.push_back({std::move(request), std::move(done)});
    };
  }

  void AnswerOne() {
    Pending next = std::move(pending.front());
    pending.pop_front();
    requests++;
    wire::ClientReply reply{.id = next.request.id};
    std::vector<std::string>& values = stored[{next.request.bucket, next.request.key}];
    if (fail_from && requests >= *fail_from) {
      reply.error = failure;
    } else if (auto* put = std::get_if<wire::PutAction>(&next.request.action)) {
      const size_t seen = put->context.empty() ? 0 : std::stoul(put->context);
      values.erase(values.begin(), values.begin() + static_cast<ptrdiff_t>(seen));
      values.push_back(put->value);
    } else if (!values.empty()) {
      reply.context = std::to_string(values.size());
    }
    next.done(std::move(reply));
  }
  void AnswerAll() {
    while (!pending.empty()) AnswerOne();
  }

  struct Pending {
    wire::ClientRequest request;
    Import::Done done;
  };
  std::deque<Pending> pending;
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> stored;
  uint64_t requests = 0;
  std::optional<uint64_t> fail_from;
  Error failure{Code::kUnavailable, "0 of 2 replicas answered"};
};

struct Fixture {
  explicit Fixture(ImportOptions options = {})
      : import(options, cluster.submit(), [this](const LineReader::Line& line, const Error& error) {
          failed.push_back(fmt::format("{}: {}", line.number, error.text));
        }) {}

  void Take(std::string text) { import.Take({.number = ++lines, .text = std::move(text)}); }
  void TakePair(const std::string& key, const std::string& value) {
    Take(fmt::format(R"({{"key":"{}","value":"{}"}})", key, value));
  }
  std::vector<std::string> Stored(const std::string& key) {
    return cluster.stored[{"default", key}];
  }

  FakeCluster cluster;
  std::vector<std::string> failed;
  Import import;
  uint64_t lines = 0;
};

TEST(Import, ReplacesWhatIsThereSoThatAnImportMayBeRepeated) {
  Fixture f;
  for (int round = 0; round < 3; round++) {
    f.TakePair("k", "v");
    f.cluster.AnswerAll();
  }
  EXPECT_THAT(f.Stored("k"), ElementsAre("v"));
  EXPECT_EQ(f.import.counts().stored, 3U);
  EXPECT_TRUE(f.import.idle());
}

TEST(Import, ABlindOneDoesNotRead) {
  Fixture f({.blind = true});
  f.TakePair("k", "v");
  f.cluster.AnswerAll();
  EXPECT_EQ(f.cluster.requests, 1U);
  EXPECT_THAT(f.Stored("k"), ElementsAre("v"));
}

TEST(Import, LinesOfOneKeyAreStoredInTheirOrder) {
  Fixture f;
  f.TakePair("k", "first");
  f.TakePair("k", "second");
  EXPECT_EQ(f.cluster.pending.size(), 1U) << "the second line waits";
  EXPECT_FALSE(f.import.Ready());
  f.cluster.AnswerAll();
  EXPECT_TRUE(f.import.Ready());
  EXPECT_THAT(f.Stored("k"), ElementsAre("second"));
}

TEST(Import, TakesNoMoreLinesThanItsWindow) {
  Fixture f({.window = 2});
  f.TakePair("a", "");
  EXPECT_TRUE(f.import.Ready());
  f.TakePair("b", "");
  EXPECT_FALSE(f.import.Ready());
  f.cluster.AnswerAll();
  EXPECT_TRUE(f.import.Ready());
}

TEST(Import, SiblingsBecomeSiblings) {
  Fixture f;
  f.cluster.stored[{"default", "k"}] = {"old"};
  f.Take(R"({"key":"k","siblings":[{"value":"a"},{"value":"b"}]})");
  f.cluster.AnswerAll();
  EXPECT_THAT(f.Stored("k"), ElementsAre("a", "b"));
}

TEST(Import, AMalformedLineFailsAloneAndIsNamed) {
  Fixture f;
  f.TakePair("a", "1");
  f.Take("oops");
  f.Take("  ");
  f.TakePair("b", "2");
  f.cluster.AnswerAll();
  EXPECT_THAT(f.failed, ElementsAre(HasSubstr("2: not JSON")));
  EXPECT_EQ(f.import.counts().stored, 2U);
  EXPECT_EQ(f.import.counts().failed, 1U);
  EXPECT_EQ(f.import.first_failed_line(), 2U);
}

TEST(Import, AnUnknownOutcomeIsCountedAsSuch) {
  Fixture f({.blind = true});
  f.cluster.fail_from = 1;
  f.cluster.failure = {Code::kUnknownOutcome, "may be stored"};
  f.TakePair("a", "1");
  f.cluster.AnswerAll();
  EXPECT_EQ(f.import.counts().unknown, 1U);
  EXPECT_EQ(f.import.counts().failed, 0U);
}

TEST(Import, HalfOfTheSiblingsIsAnUnknownOutcome) {
  Fixture f;
  f.cluster.fail_from = 3;
  f.Take(R"({"key":"k","siblings":[{"value":"a"},{"value":"b"}]})");
  f.cluster.AnswerAll();
  EXPECT_EQ(f.import.counts().unknown, 1U);
}

TEST(Import, GivesUpWhenTheClusterIsGone) {
  Fixture f({.failures_in_row_max = 3});
  f.TakePair("a", "1");
  f.cluster.AnswerAll();
  f.cluster.fail_from = 1;
  for (int i = 0; i < 3; i++) {
    ASSERT_TRUE(f.import.Ready());
    f.TakePair("b", "2");
    f.cluster.AnswerAll();
  }
  EXPECT_TRUE(f.import.gave_up());
  EXPECT_FALSE(f.import.Ready());
  EXPECT_EQ(f.import.first_failed_line(), 2U);
}

TEST(Import, MalformedLinesDoNotMakeItGiveUp) {
  Fixture f({.failures_in_row_max = 3});
  for (int i = 0; i < 10; i++) f.Take("oops");
  EXPECT_FALSE(f.import.gave_up());
}

}  // namespace
}  // namespace eddy::tools
