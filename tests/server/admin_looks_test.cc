// What a node answers of its rows.
#include "server/admin_looks.h"

#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "ring/token.h"
#include "storage/hint_key.h"
#include "storage/key.h"
#include "storage/memory_engine.h"
#include "storage/record_codec.h"

namespace eddy::server {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr ActorId kActor{.high = 1, .low = 2};
constexpr NodeId kAway{.high = 7, .low = 7};

std::string Base64Of(std::string_view bytes) { return EncodeBase64(bytes, Base64::kStandard); }

std::string KeyOf(std::string_view bucket, std::string_view key) {
  return storage::EncodeKey(
      {.token = ring::TokenOf(bucket, key).value, .bucket = bucket, .key = key});
}

class AdminLooksTest : public ::testing::Test {
 protected:
  // A record of so many siblings, of which those at and beyond `expired` have expired.
  void Store(const std::string& bucket, const std::string& key, uint64_t siblings,
             uint64_t expired = 1'000'000, storage::Space space = storage::Space::kData) {
    lattice::Record record;
    for (uint64_t i = 1; i <= siblings; ++i) {
      record.Put({},
                 {.dot = {kActor, 2 * i},
                  .timestamp = {i << 16},
                  .expires_at = i > expired ? WallTime(std::chrono::milliseconds(1))
                                            : lattice::Sibling::kNever,
                  .value = "v"},
                 {});
    }
    std::string row = storage::EncodeRecord(record);
    std::string place = KeyOf(bucket, key);
    if (space == storage::Space::kHints) place = storage::EncodeHintKey(kAway, place);
    storage::SealRecord(place, 0, &row);
    ASSERT_TRUE(engine_.Write({{space, place, row}}, storage::Logging::kLogged).has_value());
  }
  wire::AdminReply Run(const std::string& call, const json& arguments) {
    return RunLook(
        &engine_,
        {.now = WallTime(std::chrono::seconds(10)), .buckets = &buckets_, .hint_owners = {kAway}},
        {{1, 2}, call, arguments.dump()});
  }
  json Ask(const std::string& call, const json& arguments) {
    const auto reply = Run(call, arguments);
    EXPECT_FALSE(reply.error.has_value()) << reply.error->text;
    return json::parse(reply.result, nullptr, false);
  }

  storage::MemoryEngine engine_;
  node::BucketTable buckets_;
};

TEST_F(AdminLooksTest, ShowsWhatIsHeldOfAKeyAndWhatIsKeptForOthers) {
  const json key = {{"bucket_base64", Base64Of("b")}, {"key_base64", Base64Of("\xff")}};
  json shown = Ask("key.show", key);
  EXPECT_EQ(shown["n"], 3);
  EXPECT_TRUE(shown["record"].is_null());
  EXPECT_TRUE(shown["hints"].empty());

  Store("b", "\xff", 2);
  Store("b", "\xff", 1, 1'000'000, storage::Space::kHints);
  shown = Ask("key.show", key);
  ASSERT_EQ(shown["record"]["siblings"].size(), 2u);
  EXPECT_EQ(shown["record"]["siblings"][1]["actor"], kActor.ToHex());
  EXPECT_EQ(shown["record"]["siblings"][1]["counter"], 4);
  EXPECT_EQ(shown["record"]["siblings"][1]["time_ms"], 2);
  EXPECT_EQ(shown["record"]["siblings"][1]["bytes"], 1);
  EXPECT_EQ(shown["record"]["context"][0]["last"], 4);
  ASSERT_EQ(shown["hints"].size(), 1u);
  EXPECT_EQ(shown["hints"][0]["owner"], kAway.ToHex());
  EXPECT_EQ(shown["hints"][0]["record"]["siblings"].size(), 1u);
  EXPECT_NE(shown["hints"][0]["record"]["digest"], shown["record"]["digest"]);
}

TEST_F(AdminLooksTest, ARowThatRottedIsShownAsThat) {
  const std::string place = KeyOf("b", "k");
  ASSERT_TRUE(
      engine_
          .Write({{storage::Space::kData, place, std::string(40, 'r')}}, storage::Logging::kLogged)
          .has_value());
  const json shown =
      Ask("key.show", {{"bucket_base64", Base64Of("b")}, {"key_base64", Base64Of("k")}});
  EXPECT_THAT(shown["record"]["error"].get<std::string>(), HasSubstr("checksum"));
}

TEST_F(AdminLooksTest, PagesHoldEveryKeyWithSoManySiblingsOnce) {
  Store("b", "two", 2);
  Store("b", "three", 3);
  Store("b", "three-but-one", 4, 1);
  Store("other", "three", 3);
  for (size_t i = 0; i < 2 * kLookRecordsMax; ++i) Store("b", std::to_string(i), 1);
  std::multiset<std::string> keys;
  size_t pages = 0;
  json arguments = {{"least", 2}, {"bucket_base64", Base64Of("b")}};
  for (json page; pages == 0 || page.contains("cursor"); ++pages) {
    if (pages > 0) arguments["cursor"] = page["cursor"];
    page = Ask("siblings.page", arguments);
    for (const json& key : page["keys"]) {
      keys.insert(*DecodeBase64(key["key_base64"].get<std::string>(), Base64::kStandard));
    }
    ASSERT_LT(pages, 10u);
  }
  EXPECT_EQ(pages, 3u);
  EXPECT_THAT(keys, UnorderedElementsAre("two", "three"));
}

TEST_F(AdminLooksTest, NamesWhatIsWrong) {
  const auto refusal = [&](const std::string& call, const json& arguments) {
    const auto reply = Run(call, arguments);
    EXPECT_TRUE(reply.error.has_value()) << reply.result;
    EXPECT_EQ(reply.error->code, Code::kInvalidArgument);
    return reply.error->text;
  };
  EXPECT_THAT(refusal("key.show", json::object()), HasSubstr("must be given"));
  EXPECT_THAT(refusal("key.show", {{"bucket_base64", "?"}}), HasSubstr("Base64"));
  EXPECT_THAT(refusal("key.show", {{"bucket_base64", ""}, {"key_base64", "aa=="}}),
              HasSubstr("key_base64 must be bytes"));
  EXPECT_THAT(refusal("key.show", {{"bucket_base64", ""}, {"key_base64", Base64Of("k")}}),
              HasSubstr("bucket"));
  EXPECT_THAT(refusal("key.show", {{"key", "k"}}), HasSubstr("'key'"));
  EXPECT_THAT(refusal("siblings.page", {{"least", 0}}), HasSubstr("1 to"));
  EXPECT_THAT(refusal("siblings.page", {{"cursor", 7}}), HasSubstr("cursor"));
  EXPECT_THAT(refusal("siblings.page", json::array()), HasSubstr("JSON object"));
}

}  // namespace
}  // namespace eddy::server
