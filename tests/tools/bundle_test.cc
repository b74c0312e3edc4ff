#include "tools/bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace eddy::tools {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

TEST(Bundle, IsATarWithItsFilesPaddedToBlocks) {
  const std::string tar = TarOf({{"a.txt", "hello"}, {"n1/b.json", std::string(600, 'b')}},
                                WallTime(std::chrono::seconds(1)));
  EXPECT_EQ(tar.size(), 512u * (1 + 1 + 1 + 2 + 2));
  EXPECT_EQ(tar.substr(0, 5), "a.txt");
  EXPECT_EQ(tar.substr(257, 5), "ustar");
  EXPECT_EQ(tar.substr(512, 5), "hello");
  EXPECT_EQ(tar.substr(1024, 9), "n1/b.json");
}

TEST(Bundle, SecretsAreRemovedWhereverTheyStand) {
  Json json = {{"name", "n1"},
               {"admin_password", "hunter2"},
               {"nested", {{{"Token", {1, 2}}}, {{"host", "h"}}}},
               {"settings",
                {{{"section", "tls"}, {"key", "private_key"}, {"value", "/etc/key"}},
                 {{"section", "doors"}, {"key", "http"}, {"value", 7480}}}}};
  RemoveSecrets(&json);
  EXPECT_EQ(json["admin_password"], "(removed)");
  EXPECT_EQ(json["nested"][0]["Token"], "(removed)");
  EXPECT_EQ(json["nested"][1]["host"], "h");
  EXPECT_EQ(json["settings"][0]["value"], "(removed)");
  EXPECT_EQ(json["settings"][1]["value"], 7480);
  EXPECT_EQ(json["name"], "n1");
}

TEST(Bundle, LinesOfALogLoseWhatFollowsASecretsName) {
  EXPECT_EQ(WithoutSecrets("a=1 password=hunter2, b=2"), "a=1 password=(removed), b=2");
  EXPECT_EQ(WithoutSecrets(R"({"client_secret": "x y", "n": 1})").find("x"), std::string::npos);
  EXPECT_THAT(WithoutSecrets(R"({"token":"abc","n":1})"),
              HasSubstr(R"_("token":"(removed)","n":1)_"));
  EXPECT_EQ(WithoutSecrets("Authorization: Bearer abc.def"), "Authorization: (removed)");
  EXPECT_EQ(WithoutSecrets("from http://me:pw@host/x"), "from http://(removed)@host/x");
  EXPECT_EQ(WithoutSecrets("http://host/a@b"), "http://host/a@b");
  for (const char* same : {"", "the token of this read", "no password here", "tokens", "a:b"}) {
    EXPECT_EQ(WithoutSecrets(same), same);
  }
}

}  // namespace
}  // namespace eddy::tools
