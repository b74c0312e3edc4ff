// What the parts of an operation cost by themselves: eddy-micro, a program of Google Benchmark.
// `./dev bench --micro` runs it.
#include <cstring>
#include <string>
#include <utility>

#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include "base/check.h"
#include "bench/micro/coordinator.h"
#include "lattice/record.h"
#include "server/resp_parser.h"
#include "storage/key.h"
#include "storage/record_codec.h"
#include "storage/tree_keeper.h"
#include "wire/codec.h"
#include "wire/frame.h"

namespace eddy::bench {
namespace {

constexpr int64_t kSmall = 100;
constexpr int64_t kLarge = 1024;

lattice::Record RecordWith(uint64_t counter, size_t value_bytes) {
  lattice::Record record;
  record.Put({},
             {.dot = {ActorId{9, 1}, counter},
              .timestamp = {counter},
              .value = std::string(value_bytes, 'v')},
             {});
  return record;
}

std::string EncodedKey(uint64_t number) {
  const std::string key = fmt::format("key{:06}", number);
  return storage::EncodeKey({number * 0x9e3779b97f4a7c15, "bench", key});
}

wire::PeerMessage WriteOf(size_t value_bytes) {
  return wire::WriteRequest{.op = 7,
                            .key = EncodedKey(1),
                            .record = storage::EncodeRecord(RecordWith(5, value_bytes)),
                            .durability = 2};
}

// One frame, aligned as a connection's buffer is.
class FrameOf {
 public:
  explicit FrameOf(const wire::PeerMessage& message) {
    std::string bytes;
    CHECK(wire::Encoder().AppendPeerMessage(message, &bytes).has_value());
    size_ = bytes.size();
    words_.resize((size_ + 7) / 8);
    std::memcpy(words_.data(), bytes.data(), size_);
  }
  std::string_view view() const { return {reinterpret_cast<const char*>(words_.data()), size_}; }

 private:
  std::vector<uint64_t> words_;
  size_t size_ = 0;
};

void ParseFrame(benchmark::State& state) {
  const FrameOf frame(WriteOf(static_cast<size_t>(state.range(0))));
  for (auto _ : state) {
    const auto parsed = wire::ParseFrame(frame.view(), wire::kPayloadBytesMax);
    benchmark::DoNotOptimize((*parsed)->payload.data());
  }
}
BENCHMARK(ParseFrame)->Arg(kSmall)->Arg(kLarge);

void DecodeWrite(benchmark::State& state) {
  const FrameOf frame(WriteOf(static_cast<size_t>(state.range(0))));
  const std::string_view payload =
      (*wire::ParseFrame(frame.view(), wire::kPayloadBytesMax))->payload;
  for (auto _ : state) benchmark::DoNotOptimize(wire::DecodePeerMessage(payload));
}
BENCHMARK(DecodeWrite)->Arg(kSmall)->Arg(kLarge);

void EncodeWrite(benchmark::State& state) {
  const wire::PeerMessage message = WriteOf(static_cast<size_t>(state.range(0)));
  wire::Encoder encoder;
  std::string out;
  for (auto _ : state) {
    out.clear();
    CHECK(encoder.AppendPeerMessage(message, &out).has_value());
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(EncodeWrite)->Arg(kSmall)->Arg(kLarge);

// Two records as bytes to one as bytes: what a replica does with what it is sent.
void JoinRecords(benchmark::State& state) {
  const auto bytes = static_cast<size_t>(state.range(0));
  const std::string ours = storage::EncodeRecord(RecordWith(5, bytes));
  const std::string theirs = storage::EncodeRecord(RecordWith(6, bytes));
  for (auto _ : state) {
    lattice::Record record = *storage::DecodeRecord(ours);
    record.Join(*storage::DecodeRecord(theirs));
    benchmark::DoNotOptimize(storage::EncodeRecord(record));
  }
}
BENCHMARK(JoinRecords)->Arg(kSmall)->Arg(kLarge);

void ParseRespSet(benchmark::State& state) {
  const std::string value(static_cast<size_t>(state.range(0)), 'v');
  const std::string command = fmt::format(
      "*3\r\n$3\r\nSET\r\n$16\r\nbench:key0000001\r\n${}\r\n{}\r\n", value.size(), value);
  server::RespParser parser{server::RespParserLimits()};
  for (auto _ : state) {
    CHECK(*parser.Next(command) == command.size());
    benchmark::DoNotOptimize(parser.arguments().data());
  }
}
BENCHMARK(ParseRespSet)->Arg(kSmall)->Arg(kLarge);

// What each write pays for its partition's hash tree.
void UpdateTree(benchmark::State& state) {
  const auto bytes = static_cast<size_t>(state.range(0));
  storage::TreeKeeper trees(
      {.partition_bits = 8, .replicas_of = [](std::string_view) { return uint8_t{3}; }});
  for (uint32_t partition = 0; partition < trees.size(); ++partition) {
    trees.Begin(partition, {});
    trees.Feed(partition, {}, {});
    CHECK(trees.Finish(partition));
  }
  const std::string before = storage::EncodeRecord(RecordWith(5, bytes));
  const std::string after = storage::EncodeRecord(RecordWith(6, bytes));
  const std::string key = EncodedKey(1);
  for (auto _ : state) trees.Change(key, before, after);
}
BENCHMARK(UpdateTree)->Arg(kSmall)->Arg(kLarge);

void CoordinatePut(benchmark::State& state) {
  Coordinator coordinator(static_cast<size_t>(state.range(0)));
  for (auto _ : state) coordinator.Put();
}
BENCHMARK(CoordinatePut)->Arg(kSmall)->Arg(kLarge);

void CoordinateGet(benchmark::State& state) {
  Coordinator coordinator(static_cast<size_t>(state.range(0)));
  for (auto _ : state) coordinator.Get();
}
BENCHMARK(CoordinateGet)->Arg(kSmall)->Arg(kLarge);

}  // namespace
}  // namespace eddy::bench

BENCHMARK_MAIN();
