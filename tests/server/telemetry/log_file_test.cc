#include "server/telemetry/log_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <climits>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "tests/wait_until.h"

namespace quantd::server {
namespace {

using core::FileDescriptor;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// Returns what the pipe holds at present, which does not wait.
std::string ReadPipe(const FileDescriptor& reader) {
  std::string text;
  std::array<char, 4096> part{};
  ssize_t size = 0;
  while ((size = read(reader.number(), part.data(), part.size())) > 0) {
    text.append(part.data(), static_cast<std::size_t>(size));
  }
  return text;
}

// A pipe whose reader the test is.
class Pipe {
 public:
  Pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    reader_ = FileDescriptor(ends[0]);
    writer_ = FileDescriptor(ends[1]);
    EXPECT_EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
  }

  FileDescriptor TakeWriter() { return std::exchange(writer_, FileDescriptor(-1)); }

  // Returns what the pipe holds at present.
  std::string Read() const { return ReadPipe(reader_); }

  // Whether the pipe has less room than the log writes at once.
  bool IsFull() const {
    int bytes = 0;
    return ioctl(reader_.number(), FIONREAD, &bytes) == 0 &&
           bytes > fcntl(reader_.number(), F_GETPIPE_SZ) - PIPE_BUF;
  }

 private:
  FileDescriptor reader_{-1};
  FileDescriptor writer_{-1};
};

std::vector<std::string> LinesOf(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

std::string ContentsOf(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class LogFileTest : public testing::Test {
 protected:
  LogFileTest() {
    std::signal(SIGPIPE, SIG_IGN);
    std::string folder = "/tmp/quantd-XXXXXX";
    folder_ = mkdtemp(folder.data());
  }
  ~LogFileTest() override { std::filesystem::remove_all(folder_); }

  static std::unique_ptr<LogFile> Start(FileDescriptor file) {
    auto started = LogFile::Start(std::move(file), LogFormat::kText);
    EXPECT_TRUE(started.ok()) << started.status();
    return *std::move(started);
  }

  static FileDescriptor Open(const std::string& path) {
    auto opened = OpenLog(path);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }

  // Appends lines with consecutive numbers until one is dropped, and returns how many there were.
  static int AppendUntilOneIsDropped(LogFile& log) {
    int lines = 0;
    while (log.dropped_lines() == 0) {
      log.Append("line " + std::to_string(lines++) + "\n");
    }
    return lines;
  }

  std::string path(const std::string& name) const { return folder_ / name; }

 private:
  std::filesystem::path folder_;
};

TEST_F(LogFileTest, WritesItsLinesInOrderBeforeItEnds) {
  Pipe pipe;
  {
    const auto log = Start(pipe.TakeWriter());
    log->Append("one\n");
    log->Append("two\n");
    log->Append("three\n");
  }
  EXPECT_EQ(pipe.Read(), "one\ntwo\nthree\n");
}

TEST_F(LogFileTest, AppendsToAFileThatExists) {
  std::ofstream(path("log")) << "before\n";
  Start(Open(path("log")))->Append("after\n");
  EXPECT_EQ(ContentsOf(path("log")), "before\nafter\n");
}

TEST_F(LogFileTest, DropsAndCountsLinesWhileNobodyReadsAndContinuesAfterwards) {
  Pipe pipe;
  const auto log = Start(pipe.TakeWriter());
  // Would never return if it waited for the reader.
  const auto appended = static_cast<std::uint64_t>(AppendUntilOneIsDropped(*log));
  const std::uint64_t dropped = log->dropped_lines();

  std::string text;
  ASSERT_TRUE(WaitUntil([&] {
    text += pipe.Read();
    return text.find("log lines dropped") != std::string::npos && text.ends_with('\n');
  }));
  const std::vector<std::string> lines = LinesOf(text);
  ASSERT_EQ(lines.size(), appended - dropped + 1) << "the report comes on top";
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    ASSERT_EQ(lines[i], "line " + std::to_string(i));
  }
  EXPECT_THAT(lines.back(), EndsWith(" level=warning event=\"log lines dropped\" count=" +
                                     std::to_string(dropped)));

  log->Append("next\n");
  EXPECT_TRUE(WaitUntil([&] { return pipe.Read() == "next\n"; }));
}

TEST_F(LogFileTest, BoundsWhatWaits) {
  Pipe pipe;
  const auto log = Start(pipe.TakeWriter());
  const int lines = AppendUntilOneIsDropped(*log);
  // The queue, as much in the hands of the thread, and the pipe.
  EXPECT_LT(static_cast<std::size_t>(lines) * std::string("line 0\n").size(),
            3 * LogFile::kMaxQueuedBytes);
}

TEST_F(LogFileTest, EndsSoonThoughNobodyReads) {
  Pipe pipe;
  auto log = Start(pipe.TakeWriter());
  AppendUntilOneIsDropped(*log);
  const auto start = std::chrono::steady_clock::now();
  log.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST_F(LogFileTest, WritesALongLineWhole) {
  Pipe pipe;
  const auto log = Start(pipe.TakeWriter());
  // Longer than the pipe.
  const std::string line = std::string(300'000, 'x') + "\n";
  log->Append(line);
  log->Append("next\n");
  std::string text;
  EXPECT_TRUE(WaitUntil([&] {
    text += pipe.Read();
    return text == line + "next\n";
  }));
}

TEST_F(LogFileTest, ContinuesWithTheNextReaderOfAPipe) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  auto first = FileDescriptor::OpenToRead(path("pipe"));
  ASSERT_TRUE(first.ok()) << first.status();
  const auto log = Start(Open(path("pipe")));
  { const FileDescriptor closed = *std::move(first); }
  // Writing fails with EPIPE, so nothing leaves the queue.
  AppendUntilOneIsDropped(*log);

  const auto second = FileDescriptor::OpenToRead(path("pipe"));
  ASSERT_TRUE(second.ok()) << second.status();
  std::string text;
  EXPECT_TRUE(WaitUntil([&] {
    text += ReadPipe(*second);
    return text.find("log lines dropped") != std::string::npos;
  }));
  EXPECT_THAT(text, StartsWith("line 0\nline 1\n"));
}

TEST_F(LogFileTest, KeepsTheLinesThatAFullDiskDoesNotTake) {
  const auto log = Start(Open("/dev/full"));
  log->Append("one\n");
  log->Append("two\n");
  log->Replace(Open(path("log")));
  log->Append("three\n");
  EXPECT_TRUE(WaitUntil([&] { return ContentsOf(path("log")) == "one\ntwo\nthree\n"; }));
  EXPECT_EQ(log->dropped_lines(), 0);
}

TEST_F(LogFileTest, EndsAtOnceIfTheDiskIsFull) {
  auto log = Start(Open("/dev/full"));
  log->Append("one\n");
  const auto start = std::chrono::steady_clock::now();
  log.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST_F(LogFileTest, WritesToTheNewFileAfterItIsReplaced) {
  const auto log = Start(Open(path("log")));
  log->Append("one\n");
  ASSERT_TRUE(WaitUntil([&] { return ContentsOf(path("log")) == "one\n"; }));
  std::filesystem::rename(path("log"), path("log.1"));
  log->Append("two\n");
  ASSERT_TRUE(WaitUntil([&] { return ContentsOf(path("log.1")) == "one\ntwo\n"; }));
  log->Replace(Open(path("log")));
  log->Append("three\n");
  EXPECT_TRUE(WaitUntil([&] { return ContentsOf(path("log")) == "three\n"; }));
  EXPECT_EQ(ContentsOf(path("log.1")), "one\ntwo\n");
}

TEST_F(LogFileTest, RepeatsALineInTheNewFileOfWhichTheOldOneHasAPart) {
  Pipe pipe;
  const auto log = Start(pipe.TakeWriter());
  const std::string line = std::string(300'000, 'x') + "\n";
  log->Append("first\n");
  log->Append(line);
  // Nobody reads, so the pipe has the first line, and the second one up to where it is full.
  ASSERT_TRUE(WaitUntil([&] { return pipe.IsFull(); }));
  log->Replace(Open(path("log")));
  log->Append("last\n");
  EXPECT_TRUE(WaitUntil([&] { return ContentsOf(path("log")).ends_with("last\n"); }));
  EXPECT_THAT(LinesOf(ContentsOf(path("log"))),
              ElementsAre(std::string(300'000, 'x'), std::string("last")));
}

TEST_F(LogFileTest, ErrorsNameAFileThatCannotBeOpened) {
  const absl::Status status = OpenLog("/no/such/folder/log").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/no/such/folder/log"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("--log-file"));
}

}  // namespace
}  // namespace quantd::server
