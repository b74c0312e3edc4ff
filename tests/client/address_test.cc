#include "client/address.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace eddy::client {
namespace {

TEST(Address, IsReadAsPeopleWriteIt) {
  const std::pair<std::string_view, Address> cases[] = {
      {"localhost", {"localhost", 7400}},
      {"127.0.0.2:81", {"127.0.0.2", 81}},
      {"node-1.example.org:65535", {"node-1.example.org", 65535}},
      {"[::1]", {"::1", 7400}},
      {"[fe80::1%eth0]:7", {"fe80::1%eth0", 7}},
  };
  for (const auto& [text, address] : cases) {
    EXPECT_EQ(ParseAddress(text), address) << text;
    EXPECT_EQ(ParseAddress(ToString(address)), address) << text;
  }
  EXPECT_EQ(ParseAddress("h", 9), (Address{"h", 9}));
}

TEST(Address, IsRefusedWithTheReason) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", "host is missing"},     {":7400", "host is missing"}, {"[]:7400", "host is missing"},
      {"host:", "port"},           {"host:0", "port"},           {"host:65536", "port"},
      {"host:-1", "port"},         {"host:74x", "port"},         {"host: 74", "port"},
      {"::1", "brackets"},         {"::1:7400", "brackets"},     {"[::1", "']' is missing"},
      {"[::1]7400", "follow ']'"}, {"a host", "character"},      {"http://host", "port"},
      {"host/path", "character"},
  };
  for (const auto& [text, reason] : cases) {
    const auto refused = ParseAddress(text);
    ASSERT_FALSE(refused.has_value()) << text;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
    EXPECT_NE(refused.error().text.find(reason), std::string::npos)
        << text << ": " << refused.error().text;
  }
}

}  // namespace
}  // namespace eddy::client
