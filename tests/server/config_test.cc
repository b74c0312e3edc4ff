// What a node is told at its start: the good, and every mistake with the place where it stands.
#include "server/config.h"

#include <cctype>
#include <set>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "server/command_line.h"
#include "server/config_fields.h"
#include "server/config_show.h"
#include "tests/storage/temp_dir.h"

namespace eddy::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The errors of a file, as they are printed.
std::vector<std::string> ErrorsOf(std::string_view toml, Config* config) {
  std::vector<std::string> lines;
  for (const ConfigError& error : ReadConfig(toml, "eddy.toml", config)) {
    lines.push_back(error.where + ": " + error.text);
  }
  return lines;
}
std::vector<std::string> ErrorsOf(std::string_view toml) {
  Config config;
  return ErrorsOf(toml, &config);
}

TEST(Config, ReadsEveryKey) {
  Config config;
  EXPECT_THAT(ErrorsOf(R"(
cluster = "orders"
seeds = ["n1@10.0.0.1:7401/rack1", "n2@[fd00::2]:7501"]

[node]
name = "n2"
host = "fd00::2"
data_dir = "/var/lib/eddy"
pid_file = "/run/eddyd.pid"

[doors]
listen = "::"
native = 1
peer = 2
resp = 0
http = 4

[storage]
engine = "memory"
durability = "os"
memory_limit = "96MiB"
disk_reserve_percent = 12

[log]
level = "debug"
format = "json"

[limits]
value_bytes_max = "1MiB"
deadline_ms = 500
deadline_max_ms = 5000
connections_max = 10
pipeline_max = 20
operations_max = 30

[background]
bytes_per_second = "8MiB"
foreground_p99_ms = 20
anti_entropy_seconds = 0
tree_age_hours = 24
scrub_hours = 48
reap_minutes = 5
hint_bytes_max = "3GiB"

[bucket_defaults]
n = 5

[bucket.carts]
n = 5
r = 2
w = 4
pr = 1
pw = 2
conflict = "siblings"
ttl_ms = 86400000
siblings_max = 7
reap_minutes = 90
durability = "sync"

[bucket.redis]
w = 1
)",
                       &config),
              IsEmpty());
  EXPECT_THAT(CompleteConfig(&config), IsEmpty());
  EXPECT_EQ(config.cluster, "orders");
  EXPECT_THAT(config.seeds,
              ElementsAre(Seed{"n1", "10.0.0.1", 7401, "rack1"}, Seed{"n2", "fd00::2", 7501, ""}));
  EXPECT_EQ(config.name, "n2");
  EXPECT_EQ(config.host, "fd00::2");
  EXPECT_EQ(config.data_dir, "/var/lib/eddy");
  EXPECT_EQ(config.pid_file, "/run/eddyd.pid");
  EXPECT_EQ(config.listen, "::");
  EXPECT_EQ(config.native, 1);
  EXPECT_EQ(config.peer, 2);
  EXPECT_EQ(config.resp, 0);
  EXPECT_EQ(config.http, 4);
  EXPECT_EQ(config.engine, EngineKind::kMemory);
  EXPECT_EQ(config.durability, storage::Durability::kOs);
  EXPECT_EQ(config.memory_limit_bytes, uint64_t{96} << 20);
  EXPECT_EQ(config.log_level, LogLevel::kDebug);
  EXPECT_EQ(config.log_format, LogFormat::kJson);
  EXPECT_EQ(config.value_bytes_max, uint64_t{1} << 20);
  EXPECT_EQ(config.deadline, std::chrono::milliseconds(500));
  EXPECT_EQ(config.deadline_max, std::chrono::seconds(5));
  EXPECT_EQ(config.connections_max, 10u);
  EXPECT_EQ(config.pipeline_max, 20u);
  EXPECT_EQ(config.operations_max, 30u);
  EXPECT_EQ(config.background_bytes_per_second, uint64_t{8} << 20);
  EXPECT_EQ(config.foreground_p99_max, std::chrono::milliseconds(20));
  EXPECT_EQ(config.anti_entropy_period, std::chrono::seconds(0));
  EXPECT_EQ(config.tree_age_max, std::chrono::hours(24));
  EXPECT_EQ(config.reap_after, std::chrono::minutes(5));
  EXPECT_EQ(config.hint_bytes_max, uint64_t{3} << 30);
  EXPECT_EQ(config.scrub_period, std::chrono::hours(48));
  EXPECT_EQ(config.disk_reserve_percent, 12u);

  EXPECT_EQ(config.buckets.Find("any").n, 5);
  const node::BucketProperties& carts = config.buckets.Find("carts");
  EXPECT_EQ(carts.n, 5);
  EXPECT_EQ(carts.r, 2);
  EXPECT_EQ(carts.w, 4);
  EXPECT_EQ(carts.pr, 1);
  EXPECT_EQ(carts.pw, 2);
  EXPECT_EQ(carts.conflict, node::Conflict::kSiblings);
  EXPECT_EQ(carts.ttl, std::chrono::hours(24));
  EXPECT_EQ(carts.durability, storage::Durability::kSync);
  EXPECT_EQ(carts.siblings_max, 7u);
  EXPECT_EQ(carts.reap_age, std::chrono::minutes(90));
  // What a section does not name stays as it was for that bucket.
  EXPECT_EQ(config.buckets.Find("redis").w, 1);
  EXPECT_EQ(config.buckets.Find("redis").conflict, node::Conflict::kLastWriter);
}

TEST(Config, AnEmptyFileIsAClusterOfOne) {
  Config config;
  EXPECT_THAT(ErrorsOf("", &config), IsEmpty());
  EXPECT_THAT(CompleteConfig(&config), IsEmpty());
  EXPECT_EQ(config.name, "n1");
  EXPECT_EQ(config.host, "127.0.0.1");
  EXPECT_THAT(config.seeds, IsEmpty());
  EXPECT_EQ(config.peer, 0) << "nobody can know of it";
}

TEST(Config, TakesHostAndPeerPortFromItsSeed) {
  Config config;
  ErrorsOf(R"(seeds = ["n1@10.0.0.1:7401", "n2@10.0.0.2:7501/z2"]
[node]
name = "n2")",
           &config);
  EXPECT_THAT(CompleteConfig(&config), IsEmpty());
  EXPECT_EQ(config.host, "10.0.0.2");
  EXPECT_EQ(config.peer, 7501);
  EXPECT_EQ(config.zone, "z2");
}

TEST(Config, NamesTheNearestKeyToOneThatItDoesNotKnow) {
  EXPECT_THAT(ErrorsOf("[storage]\ndurabilty = \"sync\"\n"),
              ElementsAre("eddy.toml:2:1: unknown key 'durabilty' in [storage]; did you mean "
                          "'durability'?"));
}

TEST(Config, NamesAllKeysWhereNoneIsNear) {
  EXPECT_THAT(ErrorsOf("[log]\ncompression = true\n"),
              ElementsAre("eddy.toml:2:1: unknown key 'compression' in [log]; known are level, "
                          "format"));
}

TEST(Config, NamesTheSectionOfAKeyThatStandsOutsideIt) {
  EXPECT_THAT(ErrorsOf("name = \"n1\"\n"),
              ElementsAre("eddy.toml:1:1: 'name' stands in the section [node]"));
}

TEST(Config, NamesTheNearestSection) {
  EXPECT_THAT(ErrorsOf("[limit]\n"),
              ElementsAre(HasSubstr("unknown key 'limit' in the file; did you mean 'limits'?")));
}

TEST(Config, SaysWhatAKeyTakesAndWhatWasFound) {
  EXPECT_THAT(ErrorsOf("[doors]\nnative = \"7400\"\n"),
              ElementsAre("eddy.toml:2:10: native: expected an integer within 0 to 65535, found "
                          "the string '7400'"));
  EXPECT_THAT(ErrorsOf("[doors]\nnative = 70000\n"),
              ElementsAre("eddy.toml:2:10: native: expected an integer within 0 to 65535, found "
                          "the integer 70000"));
  EXPECT_THAT(ErrorsOf("[storage]\ndurability = true\n"),
              ElementsAre("eddy.toml:2:14: durability: expected one of \"sync\" \"os\" "
                          "\"memory\", found the boolean true"));
  EXPECT_THAT(ErrorsOf("[storage]\nmemory_limit = \"lots\"\n"),
              ElementsAre(HasSubstr("memory_limit: expected a size such as \"256MiB\"")));
  EXPECT_THAT(ErrorsOf("cluster = 1.5\n"),
              ElementsAre("eddy.toml:1:11: cluster: expected a string, found a number with a "
                          "fraction"));
  EXPECT_THAT(ErrorsOf("doors = 3\n"),
              ElementsAre("eddy.toml:1:9: expected [doors] to be a section, found the integer 3"));
  EXPECT_THAT(ErrorsOf("[limits]\ndeadline_ms = -1\n"), ElementsAre(HasSubstr("the integer -1")));
}

TEST(Config, ListsAllMistakesOfAFileAtOnce) {
  EXPECT_THAT(ErrorsOf("[doors]\nnative = \"x\"\n[log]\nlevel = \"loud\"\n[node]\nnme = \"n1\"\n"),
              testing::UnorderedElementsAre(HasSubstr("eddy.toml:2:10: native"),
                                            HasSubstr("eddy.toml:4:9: level"),
                                            HasSubstr("eddy.toml:6:1: unknown key 'nme'")));
}

TEST(Config, SaysWhereTheSyntaxBreaks) {
  const auto errors = ErrorsOf("cluster = \"eddy\"\n[node\nname = \"n1\"\n");
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_THAT(errors[0], HasSubstr("eddy.toml:2:"));
}

TEST(Config, RefusesImpossibleQuorumsWhereTheyAreSet) {
  EXPECT_THAT(ErrorsOf("[bucket.carts]\nn = 3\nr = 4\n"),
              ElementsAre(testing::AllOf(HasSubstr("eddy.toml:1:"), HasSubstr("bucket.carts"),
                                         HasSubstr("r = 4"), HasSubstr("n = 3"))));
  EXPECT_THAT(ErrorsOf("[bucket_defaults]\nn = 2\npw = 3\n"), ElementsAre(HasSubstr("pw = 3")));
  EXPECT_THAT(ErrorsOf("[bucket.carts]\nconflict = \"lvv\"\n"),
              ElementsAre(HasSubstr("expected one of \"siblings\" \"lww\"")));
}

TEST(Config, RefusesABucketNameThatNoRecordCanHave) {
  EXPECT_THAT(ErrorsOf("[bucket." + std::string(300, 'b') + "]\nn = 3\n"),
              ElementsAre(HasSubstr("eddy.toml:1:")));
}

TEST(Config, SaysWhatIsWrongWithASeed) {
  EXPECT_THAT(ErrorsOf("seeds = [\"n1@10.0.0.1:7401\", \"n2\", 3]\n"),
              ElementsAre(HasSubstr("eddy.toml:1:30: seed 'n2' has no name before an '@'"),
                          HasSubstr("seeds: expected a string, found the integer 3")));
  for (const std::string bad : {"@h:1", "n1@:7401", "n1@h", "n1@h:", "n1@h:0", "n1@h:65536",
                                "n1@h:7x", "n1@[::1:7401", "n1@h/z1"}) {
    EXPECT_FALSE(ParseSeed(bad).has_value()) << bad;
  }
}

TEST(Config, ANodeThatIsNoSeedMustSayWhereItIs) {
  const std::string file = "seeds = [\"n1@10.0.0.1:7401\"]\n[node]\nname = \"n3\"\n";
  Config config;
  ErrorsOf(file, &config);
  EXPECT_THAT(FormatErrors(CompleteConfig(&config)), HasSubstr("give --host"));
  Config placed;
  ErrorsOf(file + "host = \"10.0.0.3\"\n", &placed);
  EXPECT_THAT(CompleteConfig(&placed), IsEmpty());
  EXPECT_EQ(placed.peer, 7401);
}

TEST(Config, RefusesWhatNoMemberCanBe) {
  Config config;
  ErrorsOf("[node]\nname = \"a name\"\n", &config);
  EXPECT_THAT(FormatErrors(CompleteConfig(&config)), HasSubstr("[A-Za-z0-9_.-]"));
}

TEST(Config, TakesAPowerOfTwoOfPartitions) {
  Config config;
  EXPECT_THAT(ErrorsOf("partitions = 64\nauto_join = false\n", &config), IsEmpty());
  EXPECT_EQ(config.partition_bits, 6u);
  EXPECT_FALSE(config.auto_join);
  EXPECT_THAT(ErrorsOf("partitions = 100\n"), ElementsAre(HasSubstr("a power of two")));
}

TEST(Config, ANodeWithoutADiskReplacesItself) {
  Config config;
  ErrorsOf("[node]\nname = \"n7\"\n[storage]\nengine = \"memory\"\n", &config);
  EXPECT_THAT(CompleteConfig(&config), IsEmpty());
  EXPECT_EQ(config.replaces, "n7");
}

TEST(Config, ANodeOfAClusterNeedsAName) {
  Config config;
  ErrorsOf("seeds = [\"n1@10.0.0.1:7401\"]\n", &config);
  const auto errors = CompleteConfig(&config);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_THAT(errors[0].text, HasSubstr("--name"));
}

TEST(Config, RefusesTwoSeedsOfOneNameOrOneAddress) {
  Config config;
  ErrorsOf("seeds = [\"n1@10.0.0.1:7401\", \"n1@10.0.0.2:7401\"]\n[node]\nname = \"n1\"\n",
           &config);
  EXPECT_THAT(FormatErrors(CompleteConfig(&config)), HasSubstr("two seeds have the name 'n1'"));

  Config shared;
  ErrorsOf("seeds = [\"n1@h:7401\", \"n2@h:7401\"]\n[node]\nname = \"n1\"\n", &shared);
  EXPECT_THAT(FormatErrors(CompleteConfig(&shared)), HasSubstr("'n1' and 'n2'"));
}

TEST(Config, RefusesTwoDoorsOnOnePort) {
  Config config;
  ErrorsOf("[doors]\nnative = 7000\nresp = 7000\n", &config);
  EXPECT_THAT(FormatErrors(CompleteConfig(&config)),
              HasSubstr("the native and the resp door have the same port 7000"));
}

TEST(Config, RefusesAZoneThatItsSeedContradicts) {
  Config config;
  ErrorsOf("seeds = [\"n1@h:7401/z1\"]\n[node]\nname = \"n1\"\nzone = \"z2\"\n", &config);
  EXPECT_THAT(FormatErrors(CompleteConfig(&config)), HasSubstr("'z2'"));
}

TEST(Config, ReadsSizesWithTheirUnit) {
  EXPECT_EQ(BytesFromText("4096"), 4096u);
  EXPECT_EQ(BytesFromText("64KiB"), 65536u);
  EXPECT_EQ(BytesFromText("2GiB"), uint64_t{2} << 30);
  for (const std::string_view bad : {"", "MiB", "1MB", "1.5GiB", "-1", "1 MiB", "99999999TiB"}) {
    EXPECT_EQ(BytesFromText(bad), std::nullopt) << bad;
  }
}

// The errors of an environment, as they are printed.
std::vector<std::string> ErrorsOfEnvironment(const std::vector<std::string>& variables,
                                             Config* config) {
  std::vector<std::string> lines;
  for (const ConfigError& error : ReadEnvironment(variables, config)) {
    lines.push_back(error.where + ": " + error.text);
  }
  return lines;
}
std::vector<std::string> ErrorsOfEnvironment(const std::vector<std::string>& variables) {
  Config config;
  return ErrorsOfEnvironment(variables, &config);
}

TEST(Environment, ReadsEverySettingThatAFileCanHold) {
  Config config;
  EXPECT_THAT(ErrorsOfEnvironment({"EDDY_CLUSTER=orders",
                                   "EDDY_SEEDS=n1@n1:7401/z1,n2@n2:7401/z2",
                                   "EDDY_AUTO_JOIN=false",
                                   "EDDY_PARTITIONS=64",
                                   "EDDY_NODE_NAME=n2",
                                   "EDDY_NODE_ZONE=z2",
                                   "EDDY_NODE_HOST=box",
                                   "EDDY_NODE_DATA_DIR=/d",
                                   "EDDY_NODE_PID_FILE=/p",
                                   "EDDY_NODE_REPLACES=n9",
                                   "EDDY_NODE_WEIGHT=50",
                                   "EDDY_DOORS_LISTEN=0.0.0.0",
                                   "EDDY_DOORS_NATIVE=1",
                                   "EDDY_DOORS_PEER=2",
                                   "EDDY_DOORS_RESP=3",
                                   "EDDY_DOORS_HTTP=0",
                                   "EDDY_STORAGE_ENGINE=memory",
                                   "EDDY_STORAGE_DURABILITY=os",
                                   "EDDY_STORAGE_MEMORY_LIMIT=64MiB",
                                   "EDDY_LOG_LEVEL=debug",
                                   "EDDY_LOG_FORMAT=json",
                                   "EDDY_LIMITS_VALUE_BYTES_MAX=4096",
                                   "EDDY_LIMITS_DEADLINE_MS=500",
                                   "EDDY_LIMITS_DEADLINE_MAX_MS=5000",
                                   "EDDY_LIMITS_CONNECTIONS_MAX=10",
                                   "EDDY_LIMITS_PIPELINE_MAX=20",
                                   "EDDY_LIMITS_OPERATIONS_MAX=30",
                                   "EDDY_BACKGROUND_BYTES_PER_SECOND=8MiB",
                                   "EDDY_BACKGROUND_FOREGROUND_P99_MS=20",
                                   "EDDY_BACKGROUND_ANTI_ENTROPY_SECONDS=0",
                                   "EDDY_BACKGROUND_TREE_AGE_HOURS=24",
                                   "EDDY_BACKGROUND_SCRUB_HOURS=0",
                                   "EDDY_STORAGE_DISK_RESERVE_PERCENT=0"},
                                  &config),
              IsEmpty());
  EXPECT_THAT(CompleteConfig(&config), IsEmpty());
  EXPECT_EQ(config.cluster, "orders");
  EXPECT_THAT(config.seeds,
              ElementsAre(Seed{"n1", "n1", 7401, "z1"}, Seed{"n2", "n2", 7401, "z2"}));
  EXPECT_FALSE(config.auto_join);
  EXPECT_EQ(config.partition_bits, 6u);
  EXPECT_EQ(config.name, "n2");
  EXPECT_EQ(config.zone, "z2");
  EXPECT_EQ(config.host, "box");
  EXPECT_EQ(config.data_dir, "/d");
  EXPECT_EQ(config.pid_file, "/p");
  EXPECT_EQ(config.replaces, "n9");
  EXPECT_EQ(config.weight, 50u);
  EXPECT_EQ(config.listen, "0.0.0.0");
  EXPECT_EQ(config.native, 1);
  EXPECT_EQ(config.peer, 2);
  EXPECT_EQ(config.resp, 3);
  EXPECT_EQ(config.http, 0);
  EXPECT_EQ(config.engine, EngineKind::kMemory);
  EXPECT_EQ(config.durability, storage::Durability::kOs);
  EXPECT_EQ(config.memory_limit_bytes, uint64_t{64} << 20);
  EXPECT_EQ(config.log_level, LogLevel::kDebug);
  EXPECT_EQ(config.log_format, LogFormat::kJson);
  EXPECT_EQ(config.value_bytes_max, 4096u);
  EXPECT_EQ(config.deadline, std::chrono::milliseconds(500));
  EXPECT_EQ(config.deadline_max, std::chrono::seconds(5));
  EXPECT_EQ(config.connections_max, 10u);
  EXPECT_EQ(config.pipeline_max, 20u);
  EXPECT_EQ(config.operations_max, 30u);
  EXPECT_EQ(config.background_bytes_per_second, uint64_t{8} << 20);
  EXPECT_EQ(config.foreground_p99_max, std::chrono::milliseconds(20));
  EXPECT_EQ(config.anti_entropy_period, std::chrono::seconds(0));
  EXPECT_EQ(config.tree_age_max, std::chrono::hours(24));
  EXPECT_EQ(config.scrub_period, std::chrono::hours(0));
  EXPECT_EQ(config.disk_reserve_percent, 0u);
}

TEST(Environment, HasAVariableForEachSettingAndNoTwoOfOneName) {
  Config config;
  std::set<std::string> names;
  for (const Section& section : SectionsOf(&config)) {
    for (const Field& field : section.fields) {
      std::string name =
          fmt::format("EDDY_{}{}{}", section.name, section.name.empty() ? "" : "_", field.key);
      for (char& c : name) c = static_cast<char>(std::toupper(c));
      EXPECT_TRUE(names.insert(name).second) << name;
      // Known, and told what it takes.
      for (const std::string& error : ErrorsOfEnvironment({name + "=?"})) {
        EXPECT_THAT(error, testing::StartsWith(name + ": expected ")) << name;
      }
    }
  }
  EXPECT_GT(names.size(), 25u);
}

TEST(Environment, ReadsBucketsByTheirNames) {
  Config config;
  EXPECT_THAT(ErrorsOfEnvironment(
                  {"EDDY_BUCKET_carts_W=5", "EDDY_BUCKET_carts_N=5", "EDDY_BUCKET_carts_old_PW=2",
                   "EDDY_BUCKET_carts_old_TTL_MS=1000", "EDDY_BUCKET_carts_SLOPPY=false",
                   "EDDY_BUCKET_DEFAULTS_CONFLICT=lww", "EDDY_BUCKET_redis_DURABILITY=os"},
                  &config),
              IsEmpty());
  EXPECT_EQ(config.buckets.Find("carts").n, 5);
  EXPECT_EQ(config.buckets.Find("carts").w, 5);
  EXPECT_FALSE(config.buckets.Find("carts").sloppy);
  EXPECT_EQ(config.buckets.Find("carts").conflict, node::Conflict::kLastWriter)
      << "the defaults are read first, wherever they stand";
  EXPECT_EQ(config.buckets.Find("carts_old").pw, 2);
  EXPECT_EQ(config.buckets.Find("carts_old").ttl, std::chrono::seconds(1));
  EXPECT_EQ(config.buckets.Find("any").conflict, node::Conflict::kLastWriter);
  EXPECT_EQ(config.buckets.Find("redis").durability, storage::Durability::kOs);
}

TEST(Environment, RefusesWhatABucketCannotBe) {
  EXPECT_THAT(ErrorsOfEnvironment({"EDDY_BUCKET_carts_N=3", "EDDY_BUCKET_carts_R=4"}),
              ElementsAre(testing::AllOf(testing::StartsWith("EDDY_BUCKET_carts_N: "),
                                         HasSubstr("r = 4"), HasSubstr("n = 3"))));
  EXPECT_THAT(ErrorsOfEnvironment({"EDDY_BUCKET_DEFAULTS_R=4"}), ElementsAre(HasSubstr("r = 4")));
  EXPECT_THAT(ErrorsOfEnvironment({"EDDY_BUCKET_carts=3"}),
              ElementsAre(HasSubstr("EDDY_BUCKET_NAME_N")));
  EXPECT_THAT(ErrorsOfEnvironment({"EDDY_BUCKET_DEFAULTS_CONFLCT=lww"}),
              ElementsAre(HasSubstr("did you mean EDDY_BUCKET_DEFAULTS_CONFLICT?")));
}

TEST(Environment, NamesTheNearestVariableToOneThatItDoesNotKnow) {
  EXPECT_THAT(ErrorsOfEnvironment({"EDDY_STORAGE_DURABILTY=os"}),
              ElementsAre("EDDY_STORAGE_DURABILTY: there is no such setting; did you mean "
                          "EDDY_STORAGE_DURABILITY?"));
  EXPECT_THAT(ErrorsOfEnvironment({"EDDY_SEED=n1@n1:7401"}),
              ElementsAre(HasSubstr("did you mean EDDY_SEEDS?")));
  EXPECT_THAT(ErrorsOfEnvironment({"EDDY_COMPRESSION_OF_EVERYTHING=yes"}),
              ElementsAre(HasSubstr("take the variable away")));
}

TEST(Environment, SaysWhatAVariableTakesAndWhatWasFound) {
  EXPECT_THAT(ErrorsOfEnvironment({"EDDY_DOORS_NATIVE=70000", "EDDY_DOORS_RESP=x",
                                   "EDDY_AUTO_JOIN=yes", "EDDY_SEEDS=n1"}),
              ElementsAre("EDDY_DOORS_NATIVE: expected an integer within 0 to 65535, found '70000'",
                          "EDDY_DOORS_RESP: expected an integer within 0 to 65535, found 'x'",
                          "EDDY_AUTO_JOIN: expected true or false, found 'yes'",
                          HasSubstr("EDDY_SEEDS: seed 'n1'")));
}

TEST(Environment, LeavesAloneWhatIsNotSetOrNotItsOwn) {
  Config config;
  EXPECT_THAT(ErrorsOfEnvironment({"EDDY_CLUSTER=", "EDDY_NODE=127.0.0.2", "EDDYFOO=1", "PATH=/bin",
                                   "EDDY_CONFIG=eddy.toml"},
                                  &config),
              IsEmpty());
  EXPECT_EQ(config.cluster, "eddy");
}

TEST(Config, OpensItsDoorsAtItsHostUnlessToldWhereToListen) {
  Config config;
  ErrorsOf("[node]\nhost = \"10.0.0.1\"\n", &config);
  EXPECT_THAT(CompleteConfig(&config), IsEmpty());
  EXPECT_EQ(config.listen, "10.0.0.1");
  Config everywhere;
  ErrorsOf("[node]\nhost = \"n1\"\n[doors]\nlisten = \"0.0.0.0\"\n", &everywhere);
  EXPECT_THAT(CompleteConfig(&everywhere), IsEmpty());
  EXPECT_EQ(everywhere.host, "n1");
  EXPECT_EQ(everywhere.listen, "0.0.0.0");
}

TEST(Config, RefusesAHostAtWhichNobodyCanReachTheNode) {
  for (const std::string host : {"0.0.0.0", "::"}) {
    Config config;
    ErrorsOf("seeds = [\"n1@10.0.0.1:7401\"]\n[node]\nname = \"n2\"\nhost = \"" + host + "\"\n",
             &config);
    EXPECT_THAT(FormatErrors(CompleteConfig(&config)), HasSubstr("--listen " + host)) << host;
  }
}

CommandLine Flags(std::vector<const char*> flags, std::vector<std::string> environment = {}) {
  flags.insert(flags.begin(), "eddyd");
  return ReadCommandLine(static_cast<int>(flags.size()), flags.data(), environment);
}

TEST(CommandLine, FlagsGoOverTheFile) {
  const TempDir dir;
  const std::string path = dir / "eddy.toml";
  FILE* file = fopen(path.c_str(), "w");
  fputs("cluster = \"orders\"\n[doors]\nnative = 1000\nresp = 1001\n", file);
  fclose(file);
  const CommandLine line = Flags({"--config", path.c_str(), "--native-port", "2000"});
  ASSERT_FALSE(line.exit.has_value()) << line.text;
  EXPECT_EQ(line.config.cluster, "orders");
  EXPECT_EQ(line.config.native, 2000);
  EXPECT_EQ(line.config.resp, 1001);
}

TEST(CommandLine, FlagsGoOverTheEnvironmentAndThatOverTheFile) {
  const TempDir dir;
  const std::string path = dir / "eddy.toml";
  FILE* file = fopen(path.c_str(), "w");
  fputs("[doors]\nnative = 1000\nresp = 1001\nhttp = 1002\n", file);
  fclose(file);
  const CommandLine line =
      Flags({"--native-port", "3000"},
            {"EDDY_DOORS_NATIVE=2000", "EDDY_DOORS_RESP=2001", "EDDY_CONFIG=" + path});
  ASSERT_FALSE(line.exit.has_value()) << line.text;
  EXPECT_EQ(line.config.native, 3000);
  EXPECT_EQ(line.config.resp, 2001);
  EXPECT_EQ(line.config.http, 1002);
}

TEST(CommandLine, TheFileOfTheFlagGoesBeforeThatOfTheEnvironment) {
  const TempDir dir;
  const std::string path = dir / "eddy.toml";
  fclose(fopen(path.c_str(), "w"));
  EXPECT_FALSE(Flags({"--config", path.c_str()}, {"EDDY_CONFIG=absent.toml"}).exit.has_value());
  EXPECT_THAT(Flags({}, {"EDDY_CONFIG=absent.toml"}).text, HasSubstr("cannot read 'absent.toml'"));
}

TEST(CommandLine, ListsTheMistakesOfFileEnvironmentAndFlagsAtOnce) {
  const CommandLine line =
      Flags({"--engine", "tape"}, {"EDDY_LOG_LEVL=debug", "EDDY_LOG_FORMAT=x"});
  EXPECT_EQ(line.exit, ExitCode::kConfig);
  EXPECT_THAT(line.text, testing::AllOf(HasSubstr("did you mean EDDY_LOG_LEVEL?"),
                                        HasSubstr("EDDY_LOG_FORMAT: expected one of"),
                                        HasSubstr("--engine: expected")));
}

TEST(CommandLine, ReadsSeedsAndTheirZones) {
  const CommandLine line =
      Flags({"--name", "n2", "--seeds", "n1@127.0.0.1:7401/z1,n2@127.0.0.2:7401/z2"});
  ASSERT_FALSE(line.exit.has_value()) << line.text;
  EXPECT_EQ(line.config.seeds.size(), 2u);
  EXPECT_EQ(line.config.zone, "z2");
}

TEST(CommandLine, NamesTheNearestFlag) {
  const CommandLine line = Flags({"--durabilty", "os"});
  EXPECT_EQ(line.exit, ExitCode::kConfig);
  EXPECT_THAT(line.text, HasSubstr("unknown flag '--durabilty'; did you mean '--durability'?"));
}

TEST(CommandLine, RefusesValuesOfTheWrongType) {
  EXPECT_EQ(Flags({"--native-port", "x"}).exit, ExitCode::kConfig);
  EXPECT_EQ(Flags({"--native-port", "70000"}).exit, ExitCode::kConfig);
  EXPECT_EQ(Flags({"--native-port", "-1"}).exit, ExitCode::kConfig);
  EXPECT_THAT(Flags({"--durability", "never"}).text, HasSubstr("--durability: expected sync"));
  EXPECT_THAT(Flags({"--seeds", "n1"}).text, HasSubstr("--seeds: seed 'n1'"));
  EXPECT_THAT(Flags({"--memory-limit", "1 MB"}).text, HasSubstr("--memory-limit: expected a size"));
  EXPECT_THAT(Flags({"--memory-limit", "1MiB"}).text,
              HasSubstr("memory_limit is 1 MiB, and must be 67 MiB at least"));
}

TEST(CommandLine, SaysThatTheFileCannotBeRead) {
  const TempDir dir;
  const std::string path = dir / "absent.toml";
  const CommandLine line = Flags({"--config", path.c_str()});
  EXPECT_EQ(line.exit, ExitCode::kConfig);
  EXPECT_THAT(line.text, HasSubstr("cannot read '" + path + "'"));
}

TEST(CommandLine, ChecksAConfigurationWithoutStarting) {
  EXPECT_EQ(Flags({"--check-config"}).exit, ExitCode::kOk);
  EXPECT_EQ(Flags({"--check-config", "--native-port", "7379"}).exit, ExitCode::kConfig);
}

TEST(CommandLine, TellsItsVersionAndItsExitCodes) {
  EXPECT_THAT(Flags({"--version"}).text, testing::StartsWith("eddyd "));
  const CommandLine help = Flags({"--help"});
  EXPECT_EQ(help.exit, ExitCode::kOk);
  for (const char* part : {"Exit codes", "--seeds", "--check-config", "--data-dir"}) {
    EXPECT_THAT(help.text, HasSubstr(part));
  }
}

TEST(ConfigShow, EverySettingIsDescribed) {
  const auto described = DescribeConfig();
  EXPECT_GE(described.at("settings").size(), 40u);
  for (const auto& setting : described.at("settings")) {
    EXPECT_NE(setting.at("about"), "") << setting;
    EXPECT_NE(setting.at("expects"), "") << setting;
    EXPECT_THAT(std::string(setting.at("variable")), HasSubstr("EDDY_")) << setting;
  }
  EXPECT_THAT(AboutSetting("limits", "no such"), IsEmpty());
}

TEST(ConfigShow, ShowsWhatTheNodeGoesBy) {
  Config config;
  ASSERT_THAT(ErrorsOf(R"(
cluster = "orders"
seeds = ["n1@127.0.0.1:7401/z1", "n2@[::1]:7401"]
[node]
name = "n1"
[storage]
memory_limit = 100663296
durability = "os"
[bucket.carts]
w = 3
ttl_ms = 1000
)",
                       &config),
              IsEmpty());
  ASSERT_THAT(CompleteConfig(&config), IsEmpty());
  const auto shown = ShowConfig(config);
  const auto value = [&](std::string_view section, std::string_view key, const char* which) {
    for (const auto& setting : shown.at("settings")) {
      if (setting.at("section") == section && setting.at("key") == key) return setting.at(which);
    }
    return nlohmann::ordered_json("no such setting");
  };
  EXPECT_EQ(value("", "cluster", "value"), "orders");
  EXPECT_EQ(value("", "cluster", "default"), "eddy");
  EXPECT_EQ(value("", "partitions", "value"), 256);
  EXPECT_EQ(value("node", "host", "value"), "127.0.0.1");
  EXPECT_EQ(value("doors", "peer", "value"), 7401);
  EXPECT_EQ(value("doors", "peer", "default"), nullptr);
  EXPECT_EQ(value("storage", "memory_limit", "value"), "96MiB");
  EXPECT_EQ(value("storage", "durability", "value"), "os");
  EXPECT_EQ(value("limits", "deadline_ms", "value"), 2000);
  EXPECT_EQ(value("bucket.carts", "w", "value"), 3);
  EXPECT_EQ(value("bucket.carts", "w", "default"), nullptr);
  EXPECT_EQ(value("bucket.carts", "ttl_ms", "value"), 1000);
  EXPECT_EQ(value("bucket.redis", "conflict", "value"), "lww");
  EXPECT_EQ(value("bucket_defaults", "sloppy", "value"), true);
  EXPECT_EQ(shown.at("seeds"), (std::vector<std::string>{"n1@127.0.0.1:7401/z1", "n2@[::1]:7401"}));
}

}  // namespace
}  // namespace eddy::server
