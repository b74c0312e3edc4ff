#include "tools/key_merge.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ring/token.h"

namespace eddy::tools {
namespace {

// As a node lists them: in the order of the ring.
std::vector<ListedKey> Listed(const std::set<std::string>& keys) {
  std::vector<ListedKey> listed;
  for (const std::string& key : keys) listed.push_back({.bucket = "b", .key = key});
  std::ranges::sort(listed, {}, [](const ListedKey& one) {
    return std::tuple(ring::TokenOf(one.bucket, one.key).value, one.key.size(), one.key);
  });
  return listed;
}

RC_GTEST_PROP(KeyMerge, GivesEveryKeyOnceInTheOrderOfTheRingWhateverThePages, ()) {
  const auto nodes = *rc::gen::container<std::vector<std::set<std::string>>>(
      rc::gen::container<std::set<std::string>>(
          rc::gen::container<std::string>(rc::gen::inRange('a', 'd'))));
  const auto page_size = *rc::gen::inRange<size_t>(1, 5);
  std::set<std::string> all;
  std::vector<std::vector<ListedKey>> lists;
  for (const auto& keys : nodes) {
    all.insert(keys.begin(), keys.end());
    lists.push_back(Listed(keys));
  }

  KeyMerge merge(nodes.size());
  std::vector<size_t> given(nodes.size());
  std::vector<ListedKey> merged;
  for (;;) {
    if (const auto wanting = merge.Wanting()) {
      const auto& list = lists[*wanting];
      const size_t end = std::min(given[*wanting] + page_size, list.size());
      merge.Add(*wanting,
                {list.begin() + static_cast<ptrdiff_t>(given[*wanting]),
                 list.begin() + static_cast<ptrdiff_t>(end)},
                end == list.size());
      given[*wanting] = end;
    } else if (auto next = merge.Next()) {
      merged.push_back(std::move(*next));
    } else {
      break;
    }
  }
  RC_ASSERT(merged == Listed(all));
}

TEST(KeyMerge, AnEmptyPageThatIsNotTheLastIsAskedBeyond) {
  KeyMerge merge(1);
  merge.Add(0, {}, false);
  EXPECT_EQ(merge.Wanting(), 0U);
  merge.Add(0, {{.bucket = "b", .key = "k"}}, true);
  EXPECT_FALSE(merge.Wanting());
  EXPECT_EQ(merge.Next()->key, "k");
  EXPECT_FALSE(merge.Next());
}

}  // namespace
}  // namespace eddy::tools
