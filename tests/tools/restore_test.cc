// How records of a backup are sent to be joined.
#include "tools/restore.h"

#include <deque>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ring/token.h"
#include "storage/key.h"
#include "storage/record_codec.h"
#include "tests/lattice/generators.h"

namespace eddy::tools {
namespace {

using lattice::Record;

RC_GTEST_PROP(Restore, ThePartsOfARecordJoinToItWhateverWasThereAndInWhateverOrder, ()) {
  const Record record = *lattice::ArbitraryRecord();
  if (record.empty()) return;
  const Record there = *lattice::ArbitraryRecord();
  const size_t bytes_max = *rc::gen::inRange<size_t>(1, 200);
  std::vector<std::string> parts = PartsOf(record, bytes_max);
  RC_ASSERT(!parts.empty());
  if (storage::EncodeRecord(record).size() <= bytes_max) RC_ASSERT(parts.size() == 1u);
  Record whole = there;
  whole.Join(record);
  for (size_t i = parts.size(); i > 1; --i) {
    std::swap(parts[i - 1], parts[*rc::gen::inRange<size_t>(0, i)]);
  }
  Record joined = there;
  for (const std::string& part : parts) {
    const auto decoded = storage::DecodeRecord(part);
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(!decoded->empty());
    joined.Join(*decoded);
  }
  RC_ASSERT((joined == whole));
}

struct Sent {
  wire::ClientRequest request;
  Restore::Done done;
};

BackupRecord Numbered(uint64_t token, size_t siblings = 1) {
  Record record;
  for (uint64_t i = 1; i <= siblings; ++i) {
    record.Put({}, {.dot = {{1, 1}, 2 * i}, .timestamp = {}, .value = std::string(100, 'v')}, {});
  }
  return {.key = storage::EncodeKey({.token = token, .bucket = "b", .key = "k"}),
          .record = std::move(record)};
}

class RestoreTest : public ::testing::Test {
 protected:
  Restore Make(RestoreOptions options) {
    return Restore(
        options,
        [this](wire::ClientRequest request, Restore::Done done) {
          sent_.push_back({std::move(request), std::move(done)});
        },
        [this](const std::string& key, const Error&) { failed_.push_back(key); });
  }
  void Answer(std::optional<Error> error = {}) {
    Sent sent = std::move(sent_.front());
    sent_.pop_front();
    sent.done({.id = {}, .error = std::move(error)});
  }

  std::deque<Sent> sent_;
  std::vector<std::string> failed_;
};

TEST_F(RestoreTest, SendsWholeRecordsWithinTheWindowAndCountsThem) {
  Restore restore = Make({.quorum = {.w = 2}, .window = 2});
  restore.Take(Numbered(1));
  BackupRecord deleted = Numbered(2);
  deleted.record.Delete(deleted.record.context());
  restore.Take(std::move(deleted));
  EXPECT_FALSE(restore.Ready());
  EXPECT_EQ(sent_[0].request.bucket, "b");
  EXPECT_EQ(sent_[0].request.key, "k");
  EXPECT_EQ(sent_[0].request.quorum.w, 2);
  EXPECT_EQ(std::get<wire::RestoreAction>(sent_[0].request.action).record,
            storage::EncodeRecord(Numbered(1).record));
  Answer();
  EXPECT_TRUE(restore.Ready());
  Answer();
  EXPECT_TRUE(restore.idle());
  EXPECT_EQ(restore.counts().restored, 2u);
  EXPECT_EQ(restore.counts().tombstones, 1u);
}

TEST_F(RestoreTest, ALargeRecordIsDoneWhenItsLastPartIsAndFailsWithAnyOfThem) {
  Restore restore = Make({.part_bytes_max = 250});
  restore.Take(Numbered(1, 6));
  size_t parts = 0;
  while (!sent_.empty()) {
    EXPECT_EQ(restore.counts().restored, 0u);
    EXPECT_EQ(sent_.size(), 1u) << "one after the other";
    Answer();
    ++parts;
  }
  EXPECT_GT(parts, 2u);
  EXPECT_EQ(restore.counts().restored, 1u);
  restore.Take(Numbered(2, 6));
  Answer();
  Answer(Error{Code::kUnknownOutcome, "?"});
  EXPECT_TRUE(sent_.empty());
  EXPECT_EQ(restore.counts().failed, 1u);
  EXPECT_EQ(restore.first_failed(), Numbered(2).key);
}

TEST_F(RestoreTest, GivesUpWhereTheClusterDoesNotAnswerAndNotForARecordThatIsWrong) {
  Restore restore = Make({.failures_in_row_max = 3});
  for (uint64_t i = 1; i <= 5; ++i) restore.Take(Numbered(i));
  Answer(Error{Code::kUnavailable, ""});
  Answer(Error{Code::kTooLarge, ""});
  for (int i = 0; i < 2; ++i) Answer(Error{Code::kUnavailable, ""});
  EXPECT_FALSE(restore.gave_up());
  Answer(Error{Code::kTimeout, ""});
  EXPECT_TRUE(restore.gave_up());
  EXPECT_FALSE(restore.Ready());
  EXPECT_EQ(failed_.size(), 5u);
  EXPECT_EQ(restore.first_failed(), Numbered(1).key);
}

}  // namespace
}  // namespace eddy::tools
