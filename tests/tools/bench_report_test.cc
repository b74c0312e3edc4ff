#include "tools/bench_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eddy::tools {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

// Three seconds: 200 reads of 1 ms in the first, nothing but errors in the second, 100 updates of
// 20 ms in the third.
BenchRow SomeRow(uint64_t rate) {
  const MonotonicTime begin(seconds(50));
  LoadTally tally;
  tally.Begin(rate > 0, begin);
  for (int i = 0; i < 200; i++) {
    const MonotonicTime now = begin + milliseconds(2 + 4 * i);
    tally.Sent(now - milliseconds(1), now - milliseconds(1));
    tally.Done(LoadKind::kRead, i == 7, now - milliseconds(1), now);
  }
  for (int i = 0; i < 1200; i++) {
    tally.Failed(LoadErrorClass::kQuorum, "too <few>", begin + seconds(1), begin + seconds(1));
  }
  tally.Failed(LoadErrorClass::kConnection, "reset", begin + seconds(1), begin + seconds(1));
  for (int i = 0; i < 100; i++) {
    const MonotonicTime now = begin + seconds(2) + milliseconds(30 + i);
    tally.Sent(now - milliseconds(20), now - milliseconds(10));
    tally.Done(LoadKind::kUpdate, false, now - milliseconds(20), now);
  }
  tally.Unsent(5);
  return {.cell = {.door = Door::kResp,
                   .mix = *LoadMix::Ycsb("a"),
                   .value_bytes = 100,
                   .connections = 16,
                   .depth = 4,
                   .rate = rate},
          .load = tally.End(begin + seconds(3), begin + seconds(3)),
          .server_us = 45.678};
}

TEST(BenchReport, ALineHasEveryColumnOfTheHeader) {
  const BenchRow row = SomeRow(0);
  BenchRow unknown = SomeRow(0);
  unknown.server_us.reset();
  unknown.load.errors.clear();
  const BenchTable table({row.cell});
  EXPECT_EQ(table.Header(),
            "door    op      keys      bytes  conns depth      ops/s   p50 us   p90 us   p99 us"
            "    p99.9      max  pause ms  CPU us/op  errors");
  EXPECT_EQ(table.Line(row),
            "resp    ycsb-a  zipfian     100     16     4        100     1007    20000    20000"
            "    20000    20000      1232       45.7  quorum 1,200, connection 1");
  EXPECT_THAT(table.Line(unknown), testing::EndsWith("         -  none"));
}

TEST(BenchReport, NotesSayWhatALineHasNoRoomFor) {
  const auto notes = BenchTable::Notes(SomeRow(1000));
  EXPECT_THAT(notes, Contains("read: 200, p50 1000 us, p99 1000 us, max 1000 us"));
  EXPECT_THAT(notes, Contains("update: 100, p50 20000 us, p99 20000 us, max 20000 us"));
  EXPECT_THAT(notes, Contains("asked for 1,000 a second: 100 sent more than 1 ms late, 5 not sent "
                              "at all"));
  EXPECT_THAT(notes, Contains("nothing was answered for 1,232 ms, from second 0.8 on"));
  EXPECT_THAT(notes, Contains("quorum, 1,200 times, the first: too <few>"));
  EXPECT_THAT(notes, Contains("connection, 1 times, the first: reset"));
  EXPECT_THAT(notes, Contains("1 reads found nothing"));
}

TEST(BenchReport, ASecondIsOneLine) {
  const LoadSecond second{.length = seconds(1),
                          .operations = 12'345,
                          .errors = 1,
                          .p50_us = 310,
                          .p99_us = 8'900,
                          .max_us = 10'000};
  EXPECT_EQ(BenchSecondLine(12, second),
            "  12 s      12,345 ops/s   p50      310 us   p99     8900 us   1 error");
}

TEST(BenchReport, JsonHasTheFiguresAndTheSeries) {
  const auto json = BenchRowJson(SomeRow(1000));
  EXPECT_EQ(json.at("op"), "ycsb-a");
  EXPECT_EQ(json.at("rate"), 1000);
  EXPECT_EQ(json.at("operations"), 300);
  EXPECT_DOUBLE_EQ(json.at("ops_per_s").get<double>(), 100);
  EXPECT_EQ(json.at("errors"), (nlohmann::ordered_json{{"quorum", 1200}, {"connection", 1}}));
  EXPECT_EQ(json.at("error_examples").at("quorum"), "too <few>");
  EXPECT_EQ(json.at("longest_pause_ms"), 1232);
  EXPECT_EQ(json.at("late"), 100);
  EXPECT_EQ(json.at("unsent"), 5);
  ASSERT_EQ(json.at("each_second").size(), 3u);
  EXPECT_EQ(json.at("each_second")[0].at("ops_per_s"), 200);
  EXPECT_EQ(json.at("each_second")[1].at("errors"), 1201);
  EXPECT_EQ(json.at("each_second")[2].at("p99_us"), 20'000);
  EXPECT_EQ(json.at("kinds").at("update").at("operations"), 100);
  double share = 0;
  for (const auto& quantile : json.at("quantiles")) {
    EXPECT_GT(quantile[0].get<double>(), share);
    share = quantile[0].get<double>();
    EXPECT_LT(share, 1);
  }
  EXPECT_FALSE(BenchRowJson(SomeRow(0)).contains("unsent")) << "a closed loop sends what it can";
}

TEST(BenchReport, ThePageNeedsNothingElse) {
  BenchRow row = SomeRow(0);
  row.load.errors[LoadErrorClass::kRefused] = {.count = 1, .example = "</script><b>/*DATA*/null"};
  const std::string page = BenchPage(nlohmann::ordered_json::array({BenchRowJson(row)}));
  EXPECT_THAT(page, HasSubstr("\"op\":\"ycsb-a\""));
  EXPECT_THAT(page, HasSubstr("const make = "));
  EXPECT_THAT(page, HasSubstr("prefers-color-scheme"));
  EXPECT_THAT(page, Not(HasSubstr("/*STYLE*/")));
  EXPECT_THAT(page, Not(HasSubstr("/*HELPERS*/")));
  EXPECT_THAT(page, Not(HasSubstr("const data = /*DATA*/")));
  EXPECT_THAT(page, Not(HasSubstr("</script><b>")));
  for (const char* loads : {"src=", "href=", "@import", "url(", "fetch("}) {
    EXPECT_THAT(page, Not(HasSubstr(loads)));
  }
}

}  // namespace
}  // namespace eddy::tools
