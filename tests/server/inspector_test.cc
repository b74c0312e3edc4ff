#include "server/inspector.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "storage/memory_engine.h"
#include "tests/server/loop.h"

namespace eddy::server {
namespace {

TEST(Inspector, LooksInOrderAnswersOnTheLoopAndRefusesWhatIsTooMuch) {
  TestLoop loop;
  storage::MemoryEngine engine;
  Inspector inspector(loop.get(), &engine);
  constexpr size_t kLooks = 10 * Inspector::kWaitingMax;
  size_t looked = 0;  // on the thread, one look after the other
  std::vector<size_t> done;
  size_t begun = 0;
  for (size_t i = 0; i < kLooks; ++i) {
    begun += inspector.Begin(
        [&](storage::Engine* given) {
          EXPECT_EQ(given, &engine);
          ++looked;
        },
        [&, i] { done.push_back(i); });
  }
  EXPECT_EQ(done.size(), 0u) << "never from inside";
  EXPECT_GE(begun, Inspector::kWaitingMax);
  EXPECT_TRUE(loop.Until([&] { return done.size() == begun; }));
  EXPECT_EQ(looked, begun);
  EXPECT_TRUE(std::ranges::is_sorted(done));
  inspector.Close();
}

}  // namespace
}  // namespace eddy::server
