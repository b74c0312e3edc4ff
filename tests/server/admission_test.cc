// What begins, what waits and what is refused, by what requests hold.
#include "server/admission.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace eddy::server {
namespace {

using std::chrono::seconds;

constexpr size_t kMax = 2'000'000;  // a million under way

class AdmissionTest : public testing::Test {
 protected:
  Admission::Request Put(std::string key, size_t bytes, Duration within = seconds(2)) {
    wire::ClientRequest request{.bucket = "b", .key = std::move(key)};
    request.action = wire::PutAction{.value = std::string(bytes, 'v')};
    return {std::move(request), [](wire::ClientReply) {}, now_, now_ + within};
  }
  Admission::Request Get() {
    return {{.bucket = "b", .key = "k", .action = wire::GetAction{}},
            [](wire::ClientReply) {},
            now_,
            now_ + seconds(2)};
  }
  static wire::ClientReply Reply(size_t bytes) {
    wire::ClientReply reply;
    reply.siblings.push_back({.value = std::string(bytes, 'v')});
    return reply;
  }

  MonotonicTime now_{seconds(1000)};
  Admission admission_{kMax};
};

TEST_F(AdmissionTest, BeginsUntilMemoryIsShortAndThenInOrderAsOthersEnd) {
  std::vector<size_t> held;
  size_t begun = 0;
  for (int i = 0; i < 10; ++i) {
    const auto now = admission_.Admit(Put("k" + std::to_string(i), 100'000));
    if (!now) continue;
    EXPECT_EQ(admission_.waiting(), 0u);
    held.push_back(admission_.Began(now->request));
    ++begun;
  }
  EXPECT_EQ(begun, 4u) << "three copies of each";
  EXPECT_EQ(admission_.waiting(), 6u);
  EXPECT_EQ(admission_.memory().parked, 6u);
  EXPECT_TRUE(admission_.memory().crowded());
  EXPECT_FALSE(admission_.Next().has_value());

  for (int i = 4; i < 10; ++i) {
    admission_.Ended(held.back());
    held.pop_back();
    auto next = admission_.Next();
    ASSERT_TRUE(next.has_value());
    EXPECT_EQ(next->request.key, "k" + std::to_string(i));
    held.push_back(admission_.Began(next->request));
    EXPECT_FALSE(admission_.HasNext());
  }
  for (const size_t bytes : held) admission_.Ended(bytes);
  EXPECT_EQ(admission_.memory().taken.bytes() + admission_.memory().under_way.bytes(), 0u);
  EXPECT_FALSE(admission_.memory().crowded());
}

TEST_F(AdmissionTest, NobodyOvertakesThoseWhoWait) {
  const auto large = admission_.Admit(Put("large", kMax));
  ASSERT_TRUE(large.has_value()) << "one of any size goes through";
  const size_t held = admission_.Began(large->request);
  EXPECT_FALSE(admission_.Admit(Put("first", 1)).has_value());
  admission_.Ended(held);
  EXPECT_FALSE(admission_.Admit(Put("second", 1)).has_value());
  EXPECT_EQ(admission_.Next()->request.key, "first");
  EXPECT_EQ(admission_.Next()->request.key, "second");
}

TEST_F(AdmissionTest, GivesBackWhoHasWaitedTooLong) {
  const size_t held = admission_.Began(Put("large", kMax).request);
  EXPECT_FALSE(admission_.Admit(Put("patient", 10, seconds(5))).has_value());
  EXPECT_FALSE(admission_.Admit(Put("hasty", 10, seconds(1))).has_value());
  EXPECT_TRUE(admission_.TakeExpired(now_ + seconds(1) - Duration(1)).empty());
  const auto expired = admission_.TakeExpired(now_ + seconds(1));
  ASSERT_EQ(expired.size(), 1u);
  EXPECT_EQ(expired[0].request.key, "hasty");
  EXPECT_EQ(admission_.waiting(), 1u);
  admission_.Ended(held);
  EXPECT_EQ(admission_.Next()->request.key, "patient");
  EXPECT_EQ(admission_.memory().taken.bytes(), 0u);
}

TEST_F(AdmissionTest, BeginsNothingWhileClientsHoldItAllByNotReading) {
  MemoryShare replies(&admission_.memory().under_way);
  replies.Set(kMax / 2);
  EXPECT_FALSE(admission_.Admit(Get()).has_value());
  EXPECT_FALSE(admission_.HasNext());
  replies.Set(0);
  EXPECT_TRUE(admission_.Next().has_value());
}

TEST_F(AdmissionTest, ReckonsAGetAtWhatOthersFound) {
  const auto now_usual = [this] {
    const size_t held = admission_.Began(Get().request);
    admission_.Ended(held);
    return held;
  };
  EXPECT_GT(now_usual(), 2'000'000u) << "large, while nobody knows";
  for (int i = 0; i < 500; ++i) admission_.Found(Reply(100));
  EXPECT_LT(now_usual(), 2'000u);
  admission_.Found(Reply(50'000));
  EXPECT_GT(now_usual(), 100'000u) << "one large one tells";
}

}  // namespace
}  // namespace eddy::server
