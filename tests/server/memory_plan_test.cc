// That the parts of a limit are a limit, for every limit there may be, and what it is where nobody
// gave one.
#include "server/memory_plan.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/buffer_pool.h"
#include "server/machine_memory.h"
#include "server/request_memory.h"
#include "storage/rocks_engine.h"
#include "tests/storage/temp_dir.h"

namespace eddy::server {
namespace {

using testing::HasSubstr;

constexpr uint64_t kMiB = uint64_t{1} << 20;

TEST(MemoryPlan, SharesOutTheWholeLimitAndNoMore) {
  for (uint64_t partitions = 1; partitions <= 16384; partitions *= 4) {
    for (size_t counts = 1; counts <= 3; ++counts) {
      for (uint64_t limit = 60 * kMiB; limit < 64 * 1024 * kMiB; limit += limit / 7) {
        const auto plan =
            PlanMemory({.limit_bytes = limit, .partitions = partitions, .replica_counts = counts});
        if (!plan) continue;
        EXPECT_EQ(plan->process + plan->trees + plan->requests + plan->peers + plan->records +
                      plan->engine,
                  limit);
        EXPECT_GE(plan->engine, storage::RocksEngine::kMemoryLimitBytesMin);
        EXPECT_GE(plan->requests, 3 * kMiB);
        EXPECT_GE(plan->peers, 3 * kMiB);
        EXPECT_LT(plan->records, plan->engine);
      }
    }
  }
}

TEST(MemoryPlan, RefusesALimitThatIsTooSmallAndNamesOneThatIsNot) {
  const auto refused = PlanMemory({.limit_bytes = 64 * kMiB, .partitions = 4096});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_THAT(refused.error().text, HasSubstr("memory_limit is 64 MiB, and must be 133 MiB"));
  EXPECT_TRUE(PlanMemory({.limit_bytes = 133 * kMiB, .partitions = 4096}).has_value());
  EXPECT_FALSE(PlanMemory({.limit_bytes = 132 * kMiB, .partitions = 4096}).has_value());
}

TEST(MemoryPlan, IsAQuarterOfTheMachineAndNeverTooLittle) {
  EXPECT_EQ(MemoryLimitFor(16 * 1024 * kMiB), 4 * 1024 * kMiB);
  EXPECT_EQ(MemoryLimitFor(16 * 1024 * kMiB + 12'345), 4 * 1024 * kMiB);
  EXPECT_EQ(MemoryLimitFor(512 * kMiB), 256 * kMiB);
  EXPECT_EQ(MemoryLimitFor(0), 256 * kMiB);
  EXPECT_TRUE(PlanMemory({.limit_bytes = MemoryLimitFor(0), .partitions = 256}).has_value());
}

class MachineMemoryTest : public testing::Test {
 protected:
  void Write(std::string_view path, std::string_view text) {
    const std::filesystem::path file = root_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  uint64_t MiB() const { return MachineMemoryBytes(root_) / kMiB; }
  void Machine(std::string_view groups) {
    Write("proc/meminfo", "MemTotal:        8388608 kB\nMemFree:         1000 kB\n");
    Write("proc/self/cgroup", groups);
  }

  TempDir dir_;
  const std::filesystem::path root_ = dir_ / "root";
};

TEST_F(MachineMemoryTest, IsTheMachinesWithoutALimit) {
  Machine("0::/user.slice\n");
  Write("sys/fs/cgroup/user.slice/memory.max", "max\n");
  EXPECT_EQ(MiB(), 8192u);
}

TEST_F(MachineMemoryTest, IsTheLeastLimitUpToTheRoot) {
  Machine("0::/system.slice/eddyd.service\n");
  Write("sys/fs/cgroup/system.slice/memory.max", "2147483648\n");
  Write("sys/fs/cgroup/system.slice/eddyd.service/memory.max", "3221225472\n");
  EXPECT_EQ(MiB(), 2048u);
}

TEST_F(MachineMemoryTest, IsTheContainersWhereItsGroupIsNotMounted) {
  Machine("0::/../../docker/0123\n");
  Write("sys/fs/cgroup/memory.max", "1073741824\n");
  EXPECT_EQ(MiB(), 1024u);
}

TEST_F(MachineMemoryTest, IsThatOfTheFirstVersionOfGroupsToo) {
  Machine("8:pids:/a\n4:cpu,memory:/a/b\n0::/\n");
  Write("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
  Write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "536870912\n");
  EXPECT_EQ(MiB(), 512u);
}

TEST_F(MachineMemoryTest, IsNothingWhereNothingCanBeRead) { EXPECT_EQ(MiB(), 0u); }

TEST(RequestMemory, IsGivenBackByWhoeverHeldIt) {
  RequestMemory memory(2000);
  EXPECT_FALSE(memory.crowded());
  {
    MemoryShare first(&memory.taken);
    MemoryShare second(&memory.taken);
    first.Set(400);
    second.Add(500);
    EXPECT_EQ(memory.taken.bytes(), 900u);
    EXPECT_FALSE(memory.crowded());
    first.Add(100);
    EXPECT_TRUE(memory.crowded());
    first.Take(200);
    second.Set(10);
    EXPECT_EQ(memory.taken.bytes(), 310u);
  }
  EXPECT_EQ(memory.taken.bytes(), 0u);
  MemoryShare replies(&memory.under_way);
  replies.Set(1000);
  EXPECT_TRUE(memory.crowded());
  MemoryShare nobody(nullptr);
  nobody.Set(1'000'000);
  EXPECT_EQ(memory.under_way.bytes(), 1000u);
}

TEST(BufferPool, LendsWhatItTookBackAndKeepsNoMoreThanItMay) {
  BufferPool pool;
  std::string buffer(100'000, 'x');
  const char* const memory = buffer.data();
  pool.TakeBack(&buffer);
  EXPECT_TRUE(buffer.empty());
  EXPECT_GE(pool.bytes(), 100'000u);
  std::string other;
  pool.Lend(&other);
  EXPECT_EQ(other.data(), memory);
  EXPECT_TRUE(other.empty());
  EXPECT_EQ(pool.bytes(), 0u);
  std::string in_use(1'000, 'y');
  pool.TakeBack(&other);
  pool.Lend(&in_use);
  EXPECT_EQ(in_use, std::string(1'000, 'y')) << "it has memory of its own";

  for (int i = 0; i < 100; ++i) {
    std::string large(BufferPool::kBufferBytesMax / 2, 'z');
    pool.TakeBack(&large);
  }
  EXPECT_LE(pool.bytes(), BufferPool::kBytesMax);
  const size_t kept = pool.bytes();
  std::string too_large(2 * BufferPool::kBufferBytesMax, 'z');
  pool.TakeBack(&too_large);
  EXPECT_EQ(pool.bytes(), kept);
  EXPECT_LT(too_large.capacity(), 100u) << "its memory is gone";
}

}  // namespace
}  // namespace eddy::server
