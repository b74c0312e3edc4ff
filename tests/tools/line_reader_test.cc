#include "tools/line_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace eddy::tools {
namespace {

using ::testing::HasSubstr;
using State = LineReader::State;

// A file that goes with its scope.
class TempFile {
 public:
  explicit TempFile(std::string_view content) {
    char name[] = "/tmp/line_reader_test.XXXXXX";
    close(mkstemp(name));
    path_ = name;
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TempFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::vector<std::string> LinesOf(const std::string& content) {
  const TempFile file(content);
  auto reader = LineReader::Open(file.path(), 1024 * 1024);
  std::vector<std::string> lines;
  LineReader::Line line;
  while (*reader->Next(&line) == State::kMore) {
    lines.push_back(line.text);
    EXPECT_EQ(line.number, lines.size());
  }
  EXPECT_EQ(reader->bytes_taken(), content.size());
  EXPECT_EQ(reader->bytes_total(), content.size());
  return lines;
}

RC_GTEST_PROP(LineReader, GivesTheLinesOfAnyFile, ()) {
  const auto lines = *rc::gen::container<std::vector<std::string>>(
      rc::gen::container<std::string>(rc::gen::element('a', '\0', '\r', '\xff')));
  std::string content;
  for (const std::string& line : lines) content += line + "\n";
  RC_ASSERT(LinesOf(content) == lines);
}

TEST(LineReader, TheLastLineNeedsNoNewline) {
  EXPECT_THAT(LinesOf("a\nb"), testing::ElementsAre("a", "b"));
  EXPECT_THAT(LinesOf(""), testing::ElementsAre());
  EXPECT_THAT(LinesOf("\n"), testing::ElementsAre(""));
}

TEST(LineReader, ALineLongerThanAReadComesWhole) {
  const std::string long_line(700'000, 'x');
  EXPECT_THAT(LinesOf(long_line + "\nshort\n"), testing::ElementsAre(long_line, "short"));
}

TEST(LineReader, ALineOverTheLimitIsRefused) {
  const TempFile file(std::string(1024 * 1024, 'x'));
  auto reader = LineReader::Open(file.path(), 1000);
  LineReader::Line line;
  const auto state = reader->Next(&line);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, Code::kTooLarge);
}

TEST(LineReader, AMissingFileIsNamed) {
  const auto reader = LineReader::Open("/nowhere/at/all", 1000);
  ASSERT_FALSE(reader);
  EXPECT_THAT(reader.error().text, HasSubstr("/nowhere/at/all: No such file"));
}

TEST(LineReader, ASilentPipeIsNotWaitedFor) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  auto reader = LineReader::Open("/dev/fd/" + std::to_string(ends[0]), 1000);
  LineReader::Line line;
  EXPECT_EQ(*reader->Next(&line), State::kWaiting);
  ASSERT_EQ(write(ends[1], "half", 4), 4);
  EXPECT_EQ(*reader->Next(&line), State::kWaiting);
  ASSERT_EQ(write(ends[1], "!\n", 2), 2);
  EXPECT_EQ(*reader->Next(&line), State::kMore);
  EXPECT_EQ(line.text, "half!");
  close(ends[1]);
  EXPECT_EQ(*reader->Next(&line), State::kEnd);
  close(ends[0]);
}

}  // namespace
}  // namespace eddy::tools
